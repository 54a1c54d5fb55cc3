"""The file `SHOP/current`: which release serves, and which were published, in order. Replacing it is what publishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from basketry.store.manifest import is_release_id
from basketry.store.sealed import Json

FORMAT: Final = 1


@dataclass(frozen=True)
class Pointer:
    """Which release serves, and the history of publishing.

    `current` is the id that serves (None before the first); `published` maps each id, in publish order, to the id that served
    when it was published, so that going back means back to what really served.
    """

    current: str | None = None
    published: Mapping[str, str | None] = field(default_factory=dict)

    def with_published(self, release_id: str) -> Pointer:
        """After publishing `release_id`."""
        return Pointer(release_id, {**self.published, release_id: self.current})

    def pointing_to(self, release_id: str) -> Pointer:
        """After going back, or forward, to `release_id`; one not yet in the list enters it as its oldest."""
        return Pointer(release_id, self.published if release_id in self.published else {release_id: None, **self.published})

    def without(self, gone: frozenset[str]) -> Pointer:
        """After removing releases, never the current one: what came after one of them now comes after what it came after."""

        def before(release_id: str) -> str | None:
            previous = self.published[release_id]
            while previous in gone:
                previous = self.published[previous]
            return previous

        return Pointer(self.current, {kept: before(kept) for kept in self.published if kept not in gone})

    def previous(self) -> str | None:
        """The id that served before the current one was published."""
        return self.published.get(self.current) if self.current else None

    def candidates(self) -> Iterator[str]:
        """All published ids in the order in which to serve them: the current, those before it, the rest newest first."""
        line = [self.current] if self.current else []
        while line and (previous := self.published.get(line[-1])) is not None and previous not in line:
            line.append(previous)
        yield from line
        yield from (release_id for release_id in reversed([*self.published]) if release_id not in line)

    def body(self) -> dict[str, Json]:
        """The pointer as JSON."""
        published: list[Json] = [{"id": release_id, "after": after} for release_id, after in self.published.items()]
        return {"format": FORMAT, "current": self.current, "published": published}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Pointer:
        """The pointer back from its JSON. Raises ValueError if another version wrote it, or it names what is no release id."""
        if body.get("format") != FORMAT:
            raise ValueError(f"format {body.get('format')!r}, and this version reads format {FORMAT}")
        pointer = cls(body["current"], {entry["id"]: entry["after"] for entry in body["published"]})
        named = {pointer.current, *pointer.published, *pointer.published.values()} - {None}
        if not all(isinstance(one, str) and is_release_id(one) for one in named):
            raise ValueError("it names something that is no release id")
        return pointer

    @classmethod
    def rebuilt(cls, release_ids: list[str]) -> Pointer:
        """A pointer from the folders alone: ids sort by time; the last is current and each follows the one before."""
        ordered = sorted(release_ids)
        return cls(ordered[-1] if ordered else None, dict(zip(ordered, [None, *ordered], strict=False)))
