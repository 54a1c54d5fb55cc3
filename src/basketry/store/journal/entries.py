"""What shops tell the server as it happens: events, impressions, changed products, decisions of merchandisers. Append-only.

An entry is what it says, whenever and however often it arrives: its `id` is the sender's, or follows from its content, and
a second one of the same id changes nothing. Whoever folds entries into a state does so in the order of (`ts`, `id`), which
no delay changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import delete, insert, select, update

from basketry.core.errors import KeyReused
from basketry.store.journal.database import Database, canonical, now
from basketry.store.journal.schema import entries, heads, posts

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

ERASURE: Final = "erasure"
_CHUNK: Final = 500  # ids asked about at once: below every database's bound on variables


@dataclass(frozen=True)
class Entry:
    """One thing that happened at `ts`, microseconds since 1970-01-01 UTC, by its own account.

    `customer_id` is a pseudonym. `body` is JSON. `id` is what the sender calls it; without one it is the digest of the rest.
    """

    kind: str
    ts: int
    body: Mapping[str, Any] = field(default_factory=dict)
    customer_id: str = ""
    product_id: str = ""
    id: str = ""

    def named(self) -> Self:
        """The same with an id."""
        return self if self.id else type(self)(**{**self.__dict__, "id": self.digest.hex()})

    @property
    def digest(self) -> bytes:
        """SHA-256 of all it says but its id."""
        told = {
            "kind": self.kind,
            "ts": self.ts,
            "body": dict(self.body),
            "customer": self.customer_id,
            "product": self.product_id,
        }
        return hashlib.sha256(canonical(told).encode()).digest()


@dataclass(frozen=True)
class Appended:
    """How many entries were new and how many known, and the number of the shop's last entry.

    `again`: an answer given before.
    """

    accepted: int
    known: int
    last: int
    again: bool = False


@dataclass(frozen=True)
class Entries:
    """The entries of one shop."""

    database: Database
    shop: str

    def append(self, some: Sequence[Entry], key: str = "") -> Appended:
        """Keep entries; on return they are durable. With an idempotency `key` the same post twice has one effect, one answer.

        Raises KeyReused where the key, or the id of an entry, came before with other content: then nothing of the post is kept.
        """
        named = [each.named() for each in some]
        digests = {(each.kind, each.id): each.digest for each in named}
        whole = hashlib.sha256(
            b"".join(each.kind.encode() + b"\0" + each.id.encode() + b"\0" + each.digest for each in named)
        ).digest()
        with self.database.writing(self.shop) as connection:
            if key and (before := self._posted(connection, key, whole)) is not None:
                return before
            for each in named:
                if digests[each.kind, each.id] != each.digest:
                    raise _reused(each.kind, each.id)
            known = self._known(connection, digests)
            for (kind, id), digest in known.items():
                if digest != digests[kind, id]:
                    raise _reused(kind, id)
            fresh = list({(each.kind, each.id): each for each in named if (each.kind, each.id) not in known}.values())
            last = self._number(connection, len(fresh))
            if fresh:
                connection.execute(insert(entries), self._rows(fresh, last - len(fresh)))
            answer = Appended(len(fresh), len(named) - len(fresh), last)
            if key:
                told = canonical({"accepted": answer.accepted, "known": answer.known, "last": answer.last})
                connection.execute(
                    insert(posts), {"shop": self.shop, "key": key, "digest": whole, "answer": told, "received": now()}
                )
        return answer

    def after(self, number: int, limit: int = 10_000) -> list[tuple[int, Entry]]:
        """The entries with numbers above `number`, in the order they were kept, at most `limit` of them."""
        asked = (
            select(entries)
            .where(entries.c.shop == self.shop, entries.c.number > number)
            .order_by(entries.c.number)
            .limit(limit)
        )
        with self.database.reading(self.shop) as connection:
            return [(row.number, _entry(row)) for row in connection.execute(asked)]

    def all(self, kinds: Iterable[str] = ()) -> Iterator[Entry]:
        """Every entry of some kinds (of all, if none is named), in the order they were kept, read in parts."""
        number, wanted = 0, frozenset(kinds)
        while some := self.after(number):
            number = some[-1][0]
            yield from (entry for _, entry in some if not wanted or entry.kind in wanted)

    def of_customer(self, customer_id: str, limit: int) -> list[Entry]:
        """A customer's latest `limit` entries, the oldest first."""
        mine = select(entries).where(entries.c.shop == self.shop, entries.c.customer_id == customer_id)
        with self.database.reading(self.shop) as connection:
            rows = connection.execute(mine.order_by(entries.c.ts.desc(), entries.c.id.desc()).limit(limit)).all()
        return [_entry(row) for row in reversed(rows)]

    def forget(self, customer_id: str) -> int:
        """Remove every entry about a customer but the wish to be forgotten (`ERASURE`); how many. Their numbers stay unused."""
        with self.database.writing(self.shop) as connection:
            mine = (entries.c.shop == self.shop) & (entries.c.customer_id == customer_id)
            gone = delete(entries).where(mine, entries.c.kind != ERASURE)
            return connection.execute(gone).rowcount

    def _posted(self, connection: Connection, key: str, digest: bytes) -> Appended | None:
        asked = select(posts.c.digest, posts.c.answer).where(posts.c.shop == self.shop, posts.c.key == key)
        row = connection.execute(asked).first()
        if row is None:
            return None
        if row.digest != digest:
            raise KeyReused(f"the idempotency key {key!r} came before with another body", "Use a new key for a new post.")
        return Appended(**json.loads(row.answer), again=True)

    def _known(self, connection: Connection, wanted: Mapping[tuple[str, str], bytes]) -> dict[tuple[str, str], bytes]:
        """Those of the wanted entries that are kept already, and their digests."""
        found: dict[tuple[str, str], bytes] = {}
        by_kind: dict[str, list[str]] = {}
        for kind, id in wanted:
            by_kind.setdefault(kind, []).append(id)
        for kind, ids in by_kind.items():
            for first in range(0, len(ids), _CHUNK):
                some = ids[first : first + _CHUNK]
                asked = select(entries.c.id, entries.c.digest).where(
                    entries.c.shop == self.shop, entries.c.kind == kind, entries.c.id.in_(some)
                )
                found |= {(kind, row.id): row.digest for row in connection.execute(asked)}
        return found

    def _number(self, connection: Connection, more: int) -> int:
        """Take `more` numbers; the last of them."""
        mine = heads.c.shop == self.shop
        connection.execute(update(heads).where(mine).values(entries=heads.c.entries + more))
        return int(connection.execute(select(heads.c.entries).where(mine)).scalar_one())

    def _rows(self, fresh: Sequence[Entry], before: int) -> list[dict[str, Any]]:
        received = now()
        return [
            {
                "shop": self.shop,
                "number": number,
                "kind": each.kind,
                "id": each.id,
                "ts": each.ts,
                "customer_id": each.customer_id,
                "product_id": each.product_id,
                "body": canonical(each.body),
                "digest": each.digest,
                "received": received,
            }
            for number, each in enumerate(fresh, before + 1)
        ]


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.kind, row.ts, json.loads(row.body), row.customer_id, row.product_id, row.id)


def _reused(kind: str, id: str) -> KeyReused:
    return KeyReused(
        f"{kind} {id!r} came before with other content", "Give a new id to what is new; a correction is an entry of its own."
    )
