"""Sentences on one thing and a row of others, each with figures of its own: a head, the parts as a listing, a tail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from basketry.core.grammar import Grammar, Listing

    Figures = Mapping[str, float]


@dataclass(frozen=True)
class Account:
    """`head` and `tail` are told of the title `{A}` and the sentence's own figures, `part` of each part's."""

    head: Grammar
    part: Grammar
    tail: Grammar
    listing: Listing

    def say(self, title: str, figures: Figures, parts: Sequence[tuple[str, Figures]]) -> str:
        """The sentence."""
        told = [self.part.say((name,), ("",), known) for name, known in parts]
        ends = [grammar.say((title,), ("",), figures) for grammar in (self.head, self.tail)]
        return f"{ends[0]}{self.listing.joined(told)}{ends[1]}"

    def stated(self, figures: Figures) -> dict[str, float]:
        """Those of the sentence's own `figures` that it states."""
        return {**self.head.stated(figures), **self.tail.stated(figures)}

    def hear(self, sentence: str) -> tuple[str, dict[str, float], tuple[tuple[str, dict[str, float]], ...]] | None:
        """The title, the figures and the parts, or None where `say` would not have said it, to the letter."""
        begun = self.head.begin(sentence, 0)
        if begun is None:
            return None
        head, end = begun
        parts: list[tuple[str, dict[str, float]]] = []
        while (at := self._next(sentence, end, first=not parts)) is not None:
            found = self.part.begin(sentence, at)
            if found is None or found[1] == at:
                break
            parts.append((found[0].titles[0], found[0].figures))
            end = found[1]
        tail = self.tail.begin(sentence, end)
        if tail is None or not parts:
            return None
        heard = head.titles[0], {**head.figures, **tail[0].figures}, tuple(parts)
        return heard if self.say(*heard) == sentence else None

    def _next(self, sentence: str, end: int, *, first: bool) -> int | None:
        """Where the next part would begin."""
        if first:
            return end
        for joiner in (self.listing.comma, self.listing.last):
            if sentence.startswith(joiner, end):
                return end + len(joiner)
        return None
