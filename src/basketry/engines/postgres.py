"""Rows out of PostgreSQL, streamed into a file: nothing of the result ever stands in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from basketry.core.errors import ConfigError, SourceFormat, SourceUnreachable

_TIMEOUT: Final = 10
_RELATION: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


def copy_rows(dsn: str, query: str, relation: str, path: Path) -> None:
    """Copy the rows of `query`, or of the table or view `relation`, into `path`: UTF-8 CSV with a header, instants in UTC.

    The session is read-only and sees one state of the database. Raises SourceUnreachable if the server does not answer within
    10 seconds or goes away, SourceFormat if it refuses the query, ConfigError if psycopg is not installed. No message holds
    the address, since it may hold a password.
    """
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise ConfigError("PostgreSQL needs the package psycopg", "pip install 'basketry[postgres]'") from error
    if relation and not _RELATION.fullmatch(relation):
        raise ConfigError(f"{relation!r} does not name a table", 'write relation = "schema.table", or use query')
    body = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*relation.split("."))) if relation else sql.SQL(query)
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER true, ENCODING 'UTF8')").format(body)
    try:
        with psycopg.connect(dsn, connect_timeout=_TIMEOUT, options="-c TimeZone=UTC -c DateStyle=ISO") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.cursor() as cursor, cursor.copy(copy) as rows, path.open("wb") as target:
                for block in rows:
                    target.write(block)
    except psycopg.OperationalError as error:
        hint = "check that the server runs and that the variable named by dsn_env holds its address"
        raise SourceUnreachable(f"PostgreSQL does not answer: {type(error).__name__}", hint) from None
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise SourceFormat(f"PostgreSQL refuses the query: {said}", "correct query or relation in shop.toml") from None
