"""One literal table of clauses both says a sentence and reads it back.

A sentence is a row of choices; of each choice the first clause that can be said is said, or nothing. A clause can be said where
every figure it names is known and its conditions hold. Conditions look at rounded figures only, so words never disagree with
the figure printed beside them, and what was read back says the same sentence again.

In the text of a clause `{A}` and `{B}` are the titles, of one product each or, under a grammar with a `Listing`, of one or
more; `{name}` is a figure, and `{name?one|many}` is the first word where that figure is exactly 1 (or there is one such title),
else the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, nan
from typing import Final, TypeVar

from basketry.core.errors import RequestError
from basketry.core.figures import FORMATS, Language, printed, read

Figures = Mapping[str, float]
T = TypeVar("T")

_SLOT: Final = re.compile(r"\{(\w+)(?:\?([^|{}]*)\|([^|{}]*))?\}")
_TITLES: Final = ("A", "B")
_INSIDE: Final = r"(?:[^“”\\]|\\[\\“”]|\\u\{[0-9a-f]+\})*+"
QUOTED: Final = f"“{_INSIDE}”"
_TITLE: Final = re.compile(f"“({_INSIDE})”")
_MARKS: Final = str.maketrans({mark: f"\\{mark}" for mark in "\\“”"})
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")
_JOINERS: Final = "\u200c\u200d"  # not printable by themselves, but emoji and several scripts need them


def quoted(title: str) -> str:
    r"""`title` between “ and ”, so that it ends where it seems to end whatever it holds.

    `\`, `“` and `”` get a backslash; line breaks, control and direction marks, and lone surrogates become `\u{hex}`.
    """
    if title.isprintable():
        return f"“{title.translate(_MARKS)}”"
    return f"“{''.join(map(_escaped, title))}”"


def _escaped(char: str) -> str:
    blank = char.isspace() and char not in "\u2028\u2029\x85" and ord(char) > 0x1F  # no-break and ideographic spaces stay
    if char.isprintable() or blank or char in _JOINERS:
        return char.translate(_MARKS)
    return f"\\u{{{ord(char):x}}}"


def unquoted(text: str) -> tuple[str, ...]:
    """The titles that stand quoted in `text`, in order: no title can hold a mark that ends it, so none is cut or joined."""
    return tuple(_unescaped(inside) for inside in _TITLE.findall(text))


def _unescaped(inside: str) -> str:
    return _ESCAPE.sub(lambda found: found[2] or chr(min(int(found[1], 16), 0x10FFFF)), inside)


@dataclass(frozen=True)
class Listing:
    """How a row of things is written: `comma` between them, but `last` before the last."""

    comma: str
    last: str

    def joined(self, parts: Sequence[str]) -> str:
        """The parts as one text."""
        return self.last.join(part for part in (self.comma.join(parts[:-1]), parts[-1]) if part)

    @property
    def pattern(self) -> str:
        """The regular expression of every row of quoted titles."""
        return f"{QUOTED}(?:(?:{re.escape(self.comma)}{QUOTED})*+{re.escape(self.last)}{QUOTED})?"


@dataclass(frozen=True)
class Within:
    """The condition `low <= figure <= high` on a known figure; a bound may be another figure's name."""

    figure: str
    low: float | str = -inf
    high: float | str = inf

    def holds(self, figures: Figures) -> bool:
        """Whether the figure, and those that bound it, are known and in order."""
        value = figures.get(self.figure, nan)
        low = figures.get(self.low, nan) if isinstance(self.low, str) else self.low
        high = figures.get(self.high, nan) if isinstance(self.high, str) else self.high
        return low <= value <= high  # never true of a nan


@dataclass(frozen=True)
class Clause:
    """A piece of text with slots, and when it may be said."""

    text: str
    when: tuple[Within, ...] = ()

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures it states, in order."""
        return tuple(name for _, name, words in self.slots if name not in (*_TITLES, "") and words is None)

    @cached_property
    def slots(self) -> tuple[tuple[str, str, tuple[str, str] | None], ...]:
        """(literal text, slot name or "" at the end, words to choose from or None) from left to right."""
        found, end = [], 0
        for slot in _SLOT.finditer(self.text):
            found.append((self.text[end : slot.start()], slot[1], None if slot[2] is None else (slot[2], slot[3])))
            end = slot.end()
        return (*found, (self.text[end:], "", None))

    def can_be_said(self, figures: Figures) -> bool:
        """Whether every figure it states is known and its conditions hold."""
        for name in self.figures:
            if name not in figures:
                return False
        return not self.when or all(condition.holds(figures) for condition in self.when)

    def said(self, titles: Mapping[str, str], numbers: Figures, language: Language) -> str:
        """The text with its slots filled; `titles` are quoted already, `numbers` are the figures and how many titles."""
        text = ""
        for literal, name, words in self.slots:
            text += literal
            if words is not None:
                text += words[0] if numbers[name] == 1 else words[1]
            elif name:
                text += titles[name] if name in titles else printed(name, numbers[name], language)
        return text

    def pattern(self, titles: str) -> tuple[str, list[str]]:
        """The regular expression of everything it can say, and the slot that each of its groups holds.

        `titles` is that of the titles in one slot.
        """
        expression, names = "", []
        for literal, name, words in self.slots:
            expression += re.escape(literal)
            if words is not None:
                longer, shorter = sorted(words, key=len, reverse=True)  # else `day` is found where `days` stands
                expression += f"(?:{re.escape(longer)}|{re.escape(shorter)})"
            elif name:
                expression += f"({titles if name in _TITLES else FORMATS[name].value})"
                names.append(name)
        return expression, names


Choice = tuple[Clause, ...]


@dataclass(frozen=True)
class Reading:
    """What a sentence said: the titles on either side and every figure it stated."""

    titles: tuple[str, ...]
    other_titles: tuple[str, ...]
    figures: dict[str, float]


@dataclass(frozen=True)
class Grammar:
    """All sentences about one claim in one language; without a `listing` each side is one title."""

    choices: tuple[Choice, ...]
    language: Language
    listing: Listing | None = None

    def chosen(self, figures: Figures) -> list[Clause]:
        """The clauses that say `figures`."""
        chosen = []
        for choice in self.choices:
            for clause in choice:
                if clause.can_be_said(figures):
                    chosen.append(clause)
                    break
        return chosen

    def stated(self, figures: Figures) -> dict[str, float]:
        """Those of `figures` that the sentence states."""
        return {name: figures[name] for clause in self.chosen(figures) for name in clause.figures}

    def say(self, titles: Sequence[str], other_titles: Sequence[str], figures: Figures) -> str:
        """The sentence."""
        said = {"A": self._named(titles), "B": self._named(other_titles)}
        numbers = {**figures, "A": len(titles), "B": len(other_titles)}
        return "".join([clause.said(said, numbers, self.language) for clause in self.chosen(figures)])

    def hear(self, sentence: str) -> Reading | None:
        """What `sentence` says, or None where this grammar would not have said it, to the letter."""
        expression, _ = self._compiled
        found = expression.fullmatch(sentence)
        if found is None:
            return None
        heard = self._read(found)
        return heard if self.say(heard.titles, heard.other_titles, heard.figures) == sentence else None

    def begin(self, text: str, at: int) -> tuple[Reading, int] | None:
        """What seems to be said from position `at`, and where it ends; whoever asks must say it again to be sure."""
        expression, _ = self._compiled
        found = expression.match(text, at)
        return None if found is None else (self._read(found), found.end())

    def _read(self, found: re.Match[str]) -> Reading:
        slots = {name: text for name, text in zip(self._compiled[1], found.groups(), strict=True) if text is not None}
        titles, other_titles = (unquoted(slots.pop(name, "“”")) for name in _TITLES)
        return Reading(titles, other_titles, {name: read(name, text) for name, text in slots.items()})

    def _named(self, titles: Sequence[str]) -> str:
        if self.listing is None:
            (title,) = titles
            return quoted(title)
        return self.listing.joined([quoted(title) for title in titles])

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], list[str]]:
        titles = QUOTED if self.listing is None else self.listing.pattern
        expression, names = "", []
        for choice in self.choices:
            patterns = [clause.pattern(titles) for clause in choice]
            expression += f"(?:{'|'.join(pattern for pattern, _ in patterns)}|)"
            names += [name for _, slots in patterns for name in slots]
        return re.compile(expression), names


@dataclass(frozen=True)
class Parts:
    """All sentences that are a row of parts, each about one title `{A}`: `before`, the parts as a listing, `after`."""

    before: str
    first: Clause
    further: Clause
    after: str
    listing: Listing
    language: Language

    def say(self, titles: Sequence[str], figures: Sequence[Figures]) -> str:
        """The sentence on `titles`, each with the figures of its part."""
        parts = [
            (self.further if place else self.first).said({"A": quoted(title)}, known, self.language)
            for place, (title, known) in enumerate(zip(titles, figures, strict=True))
        ]
        return f"{self.before}{self.listing.joined(parts)}{self.after}"

    def hear(self, sentence: str) -> tuple[tuple[str, ...], tuple[dict[str, float], ...]] | None:
        """The titles and the figures of each part, or None where `say` would not have said it, to the letter."""
        titles: list[str] = []
        figures: list[dict[str, float]] = []
        end, (expression, names) = len(self.before), self._compiled[0]
        while found := expression.match(sentence, end):
            slots = dict(zip(names, found.groups(), strict=True))
            titles += unquoted(slots.pop("A"))
            figures.append({name: read(name, text) for name, text in slots.items()})
            end, (expression, names) = found.end(), self._compiled[1]
        heard = tuple(titles), tuple(figures)
        return heard if titles and self.say(*heard) == sentence else None

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], list[str]], ...]:
        between = f"(?:{re.escape(self.listing.comma)}|{re.escape(self.listing.last)}|)"
        patterns = [clause.pattern(QUOTED) for clause in (self.first, self.further)]
        return tuple((re.compile(between + pattern), names) for pattern, names in patterns)


def spoken(tables: Mapping[str, T], language: str) -> T:
    """What `tables` hold for the language. Raises RequestError for one that is not spoken."""
    if language not in tables:
        raise RequestError(f"no sentences in the language {language!r}", f"choose one of {', '.join(tables)}")
    return tables[language]
