"""The journal's database: SQLite in the shop's folder by default, PostgreSQL where several servers share one.

A write holds the whole file in SQLite, and in PostgreSQL the row of its shop in `heads`: writes of one shop come one after
another, so that numbers have no gaps and whoever reads `number > n` misses nothing. A write that has returned is on the
disk: SQLite flushes its log at every commit (WAL, synchronous=FULL), PostgreSQL as it is set up to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import create_engine, event, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from basketry.core.errors import Busy, ConfigError, JournalUnavailable, StorageError
from basketry.store.journal.schema import heads

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FILE: Final = "journal.db"
PATIENCE: Final = 5  # seconds to wait for a lock or a connection
_SHOP: Final = "basketry.shop"  # the setting that row-level security compares with


def canonical(value: Mapping[str, Any]) -> str:
    """JSON with sorted names, no spaces and no NaN: equal content, equal text. Raises ValueError for what JSON cannot hold."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, eq=False)
class Database:
    """An open database whose tables are those of `schema`."""

    engine: Engine

    @classmethod
    def open(cls, url: str | Path) -> Self:
        """The database at a path (SQLite) or a `postgresql://` address, its tables brought up to date.

        Raises ConfigError for another kind of address, JournalUnavailable if it does not answer, StorageError if the disk
        refuses.
        """
        from basketry.store.journal.migrating import migrate

        found = cls(_sqlite(url) if isinstance(url, Path) else _postgresql(url))
        with found._told():
            migrate(found.engine)
        return found

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    @contextmanager
    def reading(self, shop: str) -> Iterator[Connection]:
        """A transaction that reads the rows of one shop as they are now."""
        with self._told(), self.engine.connect() as connection, connection.begin():
            self._confine(connection, shop)
            yield connection

    @contextmanager
    def writing(self, shop: str) -> Iterator[Connection]:
        """A transaction that alone writes for this shop; on return it is durable, after an error it never was."""
        with self._told(), self.engine.connect().execution_options(basketry_writes=True) as connection, connection.begin():
            self._confine(connection, shop)
            self._head(connection, shop)
            yield connection

    def _confine(self, connection: Connection, shop: str) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT set_config(:name, :shop, true)"), {"name": _SHOP, "shop": shop})

    def _head(self, connection: Connection, shop: str) -> None:
        """Lock the shop's row in `heads`, making it if it is the first write."""
        locked = select(heads.c.shop).where(heads.c.shop == shop).with_for_update()
        if connection.execute(locked).first() is None:
            made = text("INSERT INTO heads (shop, entries, audit) VALUES (:shop, 0, 0) ON CONFLICT (shop) DO NOTHING")
            connection.execute(made, {"shop": shop})
            connection.execute(locked)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of the driver into one of ours."""
        try:
            yield
        except PoolTimeout as error:
            raise JournalUnavailable("every connection to the journal is in use", "Try again shortly.") from error
        except DBAPIError as error:
            raise _ours(error) from error
        except SQLAlchemyError as error:
            raise JournalUnavailable(f"the journal failed: {error}", "See the log of the server.") from error


def _ours(error: DBAPIError) -> StorageError | Busy:
    said = str(error.orig).strip()
    first = said.splitlines()[0] if said else type(error.orig).__name__
    if "locked" in first:
        return Busy(f"the journal is locked: {first}", "Another process writes to it for long; try again.")
    if any(
        each in first for each in ("full", "disk I/O", "No space", "readonly", "unable to open", "malformed", "not a database")
    ):
        return StorageError(
            f"the journal refuses: {first}", "Free some space or mend the disk; what was acknowledged is intact."
        )
    return JournalUnavailable(f"the journal does not answer: {first}", "Check the database and its address, then try again.")


def _sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": PATIENCE, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin by itself: `begin` below says which kind
        for line in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={PATIENCE * 1000}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {line}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("basketry_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    kind, colons, rest = url.partition("://")
    if not colons or kind not in ("postgresql", "postgres"):
        raise ConfigError(
            f"a journal cannot be kept at {kind}://", "Give a path for SQLite, or postgresql://USER:PASSWORD@HOST/NAME."
        )
    options = f"-c statement_timeout={PATIENCE * 1000} -c lock_timeout={PATIENCE * 1000}"
    return create_engine(
        f"postgresql+psycopg://{rest}",
        pool_size=5,
        max_overflow=5,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,
        connect_args={"connect_timeout": PATIENCE, "options": options},
    )
