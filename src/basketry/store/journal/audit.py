"""Who did what: rows that are only ever added, each sealed by a hash over itself and the row before.

hash(n) = SHA-256(hash(n-1) || canonical JSON of row n), hash(0) = 32 zero bytes. A row changed, removed or put between
others breaks every hash after it; whoever keeps the last hash elsewhere also sees that rows are missing at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert, select, update

from basketry.store.journal.database import Database, canonical, now
from basketry.store.journal.schema import audit, heads

BEGINNING: Final = bytes(32)


@dataclass(frozen=True)
class Act:
    """What `who` did in a `role`, about what; `detail` is JSON without secrets or raw customer ids."""

    who: str
    role: str
    act: str
    about: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Audited:
    """An act as it was kept: its number from 1, when, and its hash."""

    number: int
    ts: int
    act: Act
    before: bytes
    hash: bytes

    def holds(self) -> bool:
        """Whether the hash is that of the row."""
        return self.hash == _sealed(self.before, self.number, self.ts, self.act)


@dataclass(frozen=True)
class Audit:
    """The acts in one shop."""

    database: Database
    shop: str

    def add(self, act: Act) -> Audited:
        """Keep an act; durable on return."""
        mine = heads.c.shop == self.shop
        with self.database.writing(self.shop) as connection:
            connection.execute(update(heads).where(mine).values(audit=heads.c.audit + 1))
            number = int(connection.execute(select(heads.c.audit).where(mine)).scalar_one())
            last = select(audit.c.hash).where(audit.c.shop == self.shop, audit.c.number == number - 1)
            before = connection.execute(last).scalar() or BEGINNING
            ts = now()
            sealed = _sealed(before, number, ts, act)
            row = {"who": act.who, "role": act.role, "act": act.act, "about": act.about, "detail": canonical(act.detail)}
            connection.execute(
                insert(audit), {"shop": self.shop, "number": number, "ts": ts, **row, "before": before, "hash": sealed}
            )
        return Audited(number, ts, act, before, sealed)

    def latest(self, limit: int, below: int | None = None) -> list[Audited]:
        """The latest acts, the newest first; only numbers below `below` where it is given."""
        asked = select(audit).where(audit.c.shop == self.shop).order_by(audit.c.number.desc()).limit(limit)
        if below is not None:
            asked = asked.where(audit.c.number < below)
        with self.database.reading(self.shop) as connection:
            return [
                Audited(
                    row.number, row.ts, Act(row.who, row.role, row.act, row.about, json.loads(row.detail)), row.before, row.hash
                )
                for row in connection.execute(asked)
            ]

    def broken(self) -> int | None:
        """The number of the first row that is not what was kept, or is missing; None where the whole chain holds."""
        with self.database.reading(self.shop) as connection:
            count = connection.execute(select(heads.c.audit).where(heads.c.shop == self.shop)).scalar() or 0
        rows = sorted(self.latest(count + 1), key=lambda row: row.number)
        before = BEGINNING
        for expected, row in enumerate(rows, 1):
            if row.number != expected or row.before != before or not row.holds():
                return expected
            before = row.hash
        return None if len(rows) == count else len(rows) + 1


def _sealed(before: bytes, number: int, ts: int, act: Act) -> bytes:
    told = {
        "number": number,
        "ts": ts,
        "who": act.who,
        "role": act.role,
        "act": act.act,
        "about": act.about,
        "detail": dict(act.detail),
    }
    return hashlib.sha256(before + canonical(told).encode()).digest()
