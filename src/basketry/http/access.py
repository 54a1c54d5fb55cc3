"""Who may do what: a key in `Authorization: Bearer`, its shop and its role. Whatever is not allowed is refused.

A shop for which no key was issued is served on loopback only, and whoever reaches it there is its owner, until one is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Path, Request
from starlette.exceptions import HTTPException

from basketry.store.journal.keys import ROLES

if TYPE_CHECKING:
    from basketry.app.house import House
    from basketry.app.operations import Role
    from basketry.store.journal.keys import ApiKey

OWNER: Final = "owner"  # who asks where no key is needed
_KNOWN_FOR: Final = 1.0  # seconds for which a key is believed without asking the journal again
_MOST: Final = 10_000


@dataclass(frozen=True)
class Caller:
    """Who asks: the id of a key and its role."""

    id: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this role does what `role` does."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Gate:
    """Lets callers into shops; remembers a key for a second, so that issuing or revoking one takes effect within it.

    `closed`: not even a shop without keys has an owner who needs none.
    """

    def __init__(self, house: House, *, closed: bool) -> None:
        self.house = house
        self.closed = closed
        self._seen: dict[tuple[str, str], tuple[float, ApiKey | None]] = {}
        self._keyed: dict[str, tuple[float, bool]] = {}

    def caller(self, shop: str, authorization: str) -> Caller:
        """Who asks in a shop. Raises 401 for no key or one that opens nothing here."""
        if not self.closed and not self._has_keys(shop):
            return Caller(OWNER, "admin")
        kind, _, text = authorization.partition(" ")
        key = self._key(shop, text.strip()) if kind.lower() == "bearer" and shop in self.house.shops else None
        if key is None or not key.opens(shop, time.time_ns() // 1000):
            raise HTTPException(401, "a valid key for this shop is needed", {"WWW-Authenticate": "Bearer"})
        return Caller(key.id, key.role)

    def _has_keys(self, shop: str) -> bool:
        """Whether any key opens a shop; asked anew a second later."""
        at = time.monotonic()
        known = self._keyed.get(shop)
        if known is None or at - known[0] >= _KNOWN_FOR:
            known = self._keyed[shop] = at, shop in self.house.shops and self.house.has_keys(shop)
        return known[1]

    def _key(self, shop: str, text: str) -> ApiKey | None:
        at = time.monotonic()
        known = self._seen.get((shop, text))
        if known is not None and at - known[0] < _KNOWN_FOR:
            return known[1]
        if len(self._seen) >= _MOST:
            self._seen.clear()
        found = self.house.keys(shop).known(text)
        self._seen[shop, text] = at, found
        return found


ShopName = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="The shop, by the name of its folder.")]


def needs(role: Role) -> Callable[..., Caller]:
    """A dependency: the caller, if a key for the shop in the path has at least this role. 403 otherwise."""

    def check(request: Request, shop: ShopName) -> Caller:
        gate: Gate = request.app.state.gate
        caller = gate.caller(shop, request.headers.get("authorization", ""))
        if not caller.may(role):
            raise HTTPException(403, f"this needs the role {role}; the key has {caller.role}")
        gate.house.shop(shop)
        return caller

    check.role = role  # type: ignore[attr-defined]
    return check


Viewer = Annotated[Caller, Depends(needs("viewer"))]
Analyst = Annotated[Caller, Depends(needs("analyst"))]
Operator = Annotated[Caller, Depends(needs("operator"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
