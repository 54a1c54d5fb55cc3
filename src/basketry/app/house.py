"""Every shop that one server answers for, each with its journal."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from basketry.app.shop import Shop
from basketry.core.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from basketry.store.journal.audit import Audit
    from basketry.store.journal.database import Database
    from basketry.store.journal.entries import Entries
    from basketry.store.journal.jobs import Jobs
    from basketry.store.journal.keys import ApiKeys

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, eq=False)
class House:
    """Shops by name, which is that of their folder, and the database each has its journal in; one may serve them all."""

    shops: Mapping[str, Shop]
    databases: Mapping[str, Database]

    @classmethod
    def open(cls, folders: Sequence[Path], journal: str = "") -> Self:
        """The shops in some folders; the journal of each is in its folder, or all are at one `postgresql://` address.

        Raises NotFound for a folder that is no shop, ConfigError for two of one name or a name that cannot stand in an address.
        """
        from basketry.store.journal.database import FILE, Database

        shops: dict[str, Shop] = {}
        for folder in folders:
            name = folder.resolve().name.lower()
            if not _NAME.fullmatch(name):
                raise ConfigError(f"a shop cannot be served as {name!r}", "name its folder with a-z, 0-9, - and _ only")
            if name in shops:
                raise ConfigError(f"two shops are named {name}", "rename one of the folders: a shop is served by its name")
            shops[name] = Shop.open(folder)
        if journal:
            shared = Database.open(journal)
            return cls(shops, dict.fromkeys(shops, shared))
        return cls(shops, {name: Database.open(shop.folder / FILE) for name, shop in shops.items()})

    def shop(self, name: str) -> Shop:
        """A shop by its name. Raises NotFound."""
        if name not in self.shops:
            raise NotFound(f"there is no shop {name!r}", "ask for /v1/shops to see which there are")
        return self.shops[name]

    def entries(self, name: str) -> Entries:
        """What was posted to a shop."""
        from basketry.store.journal.entries import Entries

        return Entries(self._database(name), name)

    def audit(self, name: str) -> Audit:
        """Who did what in a shop."""
        from basketry.store.journal.audit import Audit

        return Audit(self._database(name), name)

    def jobs(self, name: str) -> Jobs:
        """The long work of a shop."""
        from basketry.store.journal.jobs import Jobs

        return Jobs(self._database(name), name)

    def keys(self, name: str) -> ApiKeys:
        """The keys that open a shop."""
        from basketry.store.journal.keys import ApiKeys

        return ApiKeys(self._database(name))

    def has_keys(self, name: str) -> bool:
        """Whether any key that is neither revoked nor over opens a shop."""
        at = time.time_ns() // 1000
        return any(key.opens(name, at) for key in self.keys(name).all())

    def close(self) -> None:
        """Give all connections back."""
        for database in self.databases.values():
            database.close()

    def _database(self, name: str) -> Database:
        self.shop(name)
        return self.databases[name]
