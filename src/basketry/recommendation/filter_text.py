"""Filters as people write them.

```
filter     = some | nothing
some       = every { "or" every }
every      = one { "and" one }
one        = "not" one | "(" some ")" | comparison
comparison = column ("=" | "!=" | "<" | "<=" | ">" | ">=" | "contains") value
           | column ["not"] "in" "(" value { "," value } ")"
           | column "is" ["not"] "null"
value      = word | 'text, in which '' is a quote' | "text"
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from basketry.core.errors import RequestError
from basketry.recommendation.filters import (
    EVERYTHING,
    ORDERS,
    WORDS,
    Among,
    Contains,
    Every,
    Filter,
    Known,
    Not,
    Ordered,
    Some,
)

LONGEST: Final = 4_000  # characters
DEEPEST: Final = 40  # parentheses and nots within each other
_TOKEN: Final = re.compile(r"\s*(?:('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|([\w.+-]+)|(<=|>=|!=|[=<>(),]))")
_EXAMPLE: Final = "write it as in category = 'Dairy' and price < 5 and brand in ('A', 'B') and not tag = 'fresh'"


def parsed(text: str) -> Filter:
    """The filter that a text says; of an empty text, the one that everything passes. `parsed(str(f))` is `f`.

    Raises RequestError for what cannot be read, and for more than LONGEST characters or DEEPEST levels.
    """
    if len(text) > LONGEST:
        raise RequestError(f"a filter of {len(text):,} characters", f"keep it within {LONGEST:,}")
    reader = _Reader(text, tuple(_tokens(text)))
    if not reader.tokens:
        return EVERYTHING
    found = reader.some(0)
    if reader.place < len(reader.tokens):
        raise reader.refusal("and, or, or the end")
    return found


@dataclass(frozen=True)
class _Token:
    text: str
    quoted: bool
    start: int


def _tokens(text: str) -> list[_Token]:
    tokens, end = [], len(text.rstrip())
    place = 0
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            rest = text[place:].strip()
            what = "a quote that is not closed" if rest[0] in "'\"" else f"{rest[0]!r}, which says nothing here"
            raise RequestError(f"the filter cannot be read: {what}, at {rest[:30]!r}", _EXAMPLE)
        quoted, start = found[1], found.start(found.lastindex or 0)
        word = quoted[1:-1].replace(quoted[0] * 2, quoted[0]) if quoted else found[found.lastindex or 0]
        tokens.append(_Token(word, bool(quoted), start))
        place = found.end()
    return tokens


@dataclass
class _Reader:
    text: str
    tokens: tuple[_Token, ...]
    place: int = 0

    def some(self, depth: int) -> Filter:
        parts = [self._every(depth)]
        while self._took("or"):
            parts.append(self._every(depth))
        return Some(tuple(parts)) if len(parts) > 1 else parts[0]

    def _every(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return Every(tuple(parts)) if len(parts) > 1 else parts[0]

    def _one(self, depth: int) -> Filter:
        if depth > DEEPEST:
            raise RequestError(f"the filter nests more than {DEEPEST} levels", "write it flatter, as column in (a, b, c)")
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("("):
            found = self.some(depth + 1)
            self._must(")")
            return found
        return self._comparison()

    def _comparison(self) -> Filter:
        column = self._column()
        if self._took("is"):
            unknown = not self._took("not")
            self._must("null")
            return Not(Known(column)) if unknown else Known(column)
        if self._took("not"):
            self._must("in")
            return Not(Among(column, self._values()))
        if self._took("in"):
            return Among(column, self._values())
        if self._took("contains"):
            return Contains(column, self._value())
        if self._took("="):
            return Among(column, (self._value(),))
        if self._took("!="):
            return Not(Among(column, (self._value(),)))
        for order in ORDERS:
            if self._took(order):
                return Ordered(column, order, self._value())
        raise self.refusal("=, !=, <, <=, >, >=, contains, in or is")

    def _values(self) -> tuple[str, ...]:
        self._must("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._must(")")
        return tuple(values)

    def _column(self) -> str:
        token = self._next()
        if token is None or token.quoted or not token.text.isidentifier() or token.text.lower() in WORDS:
            raise self.refusal("a column")
        self.place += 1
        return token.text

    def _value(self) -> str:
        token = self._next()
        word = token is not None and re.fullmatch(r"[\w.+-]+", token.text) and token.text.lower() not in WORDS
        if token is None or not (token.quoted or word):
            raise self.refusal("a value, in quotes if it is more than a word")
        self.place += 1
        return token.text

    def _next(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def _took(self, word: str) -> bool:
        token = self._next()
        if token is None or token.quoted or token.text.lower() != word:
            return False
        self.place += 1
        return True

    def _must(self, word: str) -> None:
        if not self._took(word):
            raise self.refusal(word)

    def refusal(self, wanted: str) -> RequestError:
        token = self._next()
        where = "at its end" if token is None else f"at {self.text[token.start :][:30]!r}"
        return RequestError(f"the filter cannot be read {where}: there should be {wanted}", _EXAMPLE)
