"""One literal table of clauses both says a sentence and reads it back.

A sentence is a row of choices; of each choice the first clause that can be said is said, or nothing. A clause can be said where
every figure it names is known and its conditions hold. Conditions look at rounded figures only, so words never disagree with
the figure printed beside them, and what was read back says the same sentence again.

In the text of a clause `{A}` and `{B}` are the titles, `{name}` is a figure, and `{name?one|many}` is the first word where
that figure is exactly 1, else the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, nan
from typing import Final

from basketry.associations.wording.figures import FORMATS, printed, read

Figures = Mapping[str, float]

_SLOT: Final = re.compile(r"\{(\w+)(?:\?([^|{}]*)\|([^|{}]*))?\}")
_TITLES: Final = ("A", "B")
_QUOTED: Final = r"“((?:[^“”\\]|\\[\\“”]|\\u\{[0-9a-f]+\})*+)”"
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


def _unescaped(inside: str) -> str:
    return _ESCAPE.sub(lambda found: found[2] or chr(min(int(found[1], 16), 0x10FFFF)), inside)


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

    def said(self, titles: Mapping[str, str], figures: Figures, grouped: bool) -> str:
        """The text with its slots filled; `titles` are quoted already."""
        text = ""
        for literal, name, words in self.slots:
            text += literal
            if words is not None:
                text += words[0] if figures[name] == 1 else words[1]
            elif name:
                text += titles[name] if name in titles else printed(name, figures[name], grouped)
        return text

    def pattern(self) -> tuple[str, list[str]]:
        """The regular expression of everything it can say, and the slot that each of its groups holds."""
        expression, names = "", []
        for literal, name, words in self.slots:
            expression += re.escape(literal)
            if words is not None:
                expression += f"(?:{re.escape(words[0])}|{re.escape(words[1])})"
            elif name:
                expression += _QUOTED if name in _TITLES else f"({FORMATS[name].value})"
                names.append(name)
        return expression, names


Choice = tuple[Clause, ...]


@dataclass(frozen=True)
class Reading:
    """What a sentence said: both titles and every figure it stated."""

    title: str
    other_title: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Grammar:
    """All sentences about one claim in one language."""

    choices: tuple[Choice, ...]
    grouped: bool

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

    def say(self, title: str, other_title: str, figures: Figures) -> str:
        """The sentence."""
        titles = {"A": quoted(title), "B": quoted(other_title)}
        return "".join([clause.said(titles, figures, self.grouped) for clause in self.chosen(figures)])

    def hear(self, sentence: str) -> Reading | None:
        """What `sentence` says, or None where this grammar would not have said it, to the letter."""
        expression, names = self._compiled
        found = expression.fullmatch(sentence)
        if found is None:
            return None
        slots = {name: text for name, text in zip(names, found.groups(), strict=True) if text is not None}
        title, other_title = (_unescaped(slots.pop(name, "")) for name in _TITLES)
        figures = {name: read(name, text) for name, text in slots.items()}
        return Reading(title, other_title, figures) if self.say(title, other_title, figures) == sentence else None

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], list[str]]:
        expression, names = "", []
        for choice in self.choices:
            patterns = [clause.pattern() for clause in choice]
            expression += f"(?:{'|'.join(pattern for pattern, _ in patterns)}|)"
            names += [name for _, slots in patterns for name in slots]
        return re.compile(expression), names
