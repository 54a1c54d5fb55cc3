"""API keys: who may ask, in which shop and in which role. Only a hash of each is kept.

A key reads `bk_ID_SECRET`. The secret has 256 random bits, so a plain SHA-256 of it cannot be searched for; it is compared
in a time that does not depend on where it differs. Each role may do what those before it may: viewer, analyst, operator,
admin.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from basketry.core.errors import NotFound, RequestError
from basketry.store.journal.database import Database, now
from basketry.store.journal.schema import api_keys

if TYPE_CHECKING:
    from sqlalchemy import Row

ROLES: Final = ("viewer", "analyst", "operator", "admin")
_FORM: Final = re.compile(r"bk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY: Final = bytes(32)


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key. `shop` is empty where it opens every shop; times are microseconds since 1970."""

    id: str
    shop: str
    role: str
    note: str
    created: int
    expires: int | None
    revoked: int | None

    def opens(self, shop: str, at: int) -> bool:
        """Whether it is valid for a shop at a time."""
        return self.shop in ("", shop) and self.revoked is None and (self.expires is None or at < self.expires)


@dataclass(frozen=True)
class ApiKeys:
    """All keys of a server."""

    database: Database

    def issue(self, role: str, shop: str = "", note: str = "", days: int | None = None) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once.

        Raises RequestError for an unknown role or a time that is no time.
        """
        if role not in ROLES:
            raise RequestError(f"role {role!r} is not known", f"choose one of {', '.join(ROLES)}")
        if days is not None and not 1 <= days <= 3650:
            raise RequestError(f"a key of {days} days", "give 1 to 3650 days, or none for a key that does not expire")
        id, secret, created = secrets.token_hex(8), secrets.token_urlsafe(32), now()
        made = ApiKey(id, shop, role, note, created, None if days is None else created + days * 86_400_000_000, None)
        with self.database.writing(shop) as connection:
            connection.execute(insert(api_keys), {**made.__dict__, "hash": _hash(secret)})
        return made, f"bk_{id}_{secret}"

    def known(self, text: str) -> ApiKey | None:
        """The key with this text, revoked and expired ones too; None if there is none."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        with self.database.reading("") as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == form[1])).first()
        right = hmac.compare_digest(_hash(form[2]), _NOBODY if row is None else row.hash)
        return _key(row) if right and row is not None else None

    def revoke(self, id: str) -> ApiKey:
        """Make a key worthless from now on. Raises NotFound if there is none of that id."""
        with self.database.writing("") as connection:
            mine = api_keys.c.id == id
            connection.execute(update(api_keys).where(mine, api_keys.c.revoked.is_(None)).values(revoked=now()))
            row = connection.execute(select(api_keys).where(mine)).first()
        if row is None:
            raise NotFound(f"there is no key {id}", "list the keys to see their ids")
        return _key(row)

    def all(self) -> list[ApiKey]:
        """Every key, the newest first."""
        with self.database.reading("") as connection:
            return [
                _key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.created.desc(), api_keys.c.id))
            ]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(row.id, row.shop, row.role, row.note, row.created, row.expires, row.revoked)
