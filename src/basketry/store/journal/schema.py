"""The journal's tables. `migrations/` makes them in a database; a test compares the two.

Times are microseconds since 1970-01-01 UTC, so that both databases hold and order them alike. JSON is text in one canonical
form (`canonical`), so that equal content has equal bytes. Every table but `heads` and `api_keys` belongs to one shop a row;
in PostgreSQL row-level security shows a connection the rows of one shop only.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA: Final = MetaData()
_NAME: Final = 200  # characters of an id or a name, the limit of the tables of a shop

heads: Final = Table(
    "heads",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("entries", BigInteger, nullable=False),  # the last number given to an entry of the shop
    Column("audit", BigInteger, nullable=False),
)

entries: Final = Table(
    "entries",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # from 1, in the order of commits
    Column("kind", String(20), nullable=False),
    Column("id", String(_NAME), nullable=False),  # the sender's; the same id twice is the same entry
    Column("ts", BigInteger, nullable=False),
    Column("customer_id", String(_NAME), nullable=False),  # a pseudonym, or empty
    Column("product_id", String(_NAME), nullable=False),  # or empty
    Column("body", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("received", BigInteger, nullable=False),
    Index("entries_by_id", "shop", "kind", "id", unique=True),
    Index("entries_by_customer", "shop", "customer_id", "ts"),
)

posts: Final = Table(
    "posts",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("key", String(_NAME), primary_key=True),  # the sender's idempotency key
    Column("digest", LargeBinary(32), nullable=False),
    Column("answer", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
)

audit: Final = Table(
    "audit",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("who", String(_NAME), nullable=False),  # the id of a key, or the name of a console session's owner
    Column("role", String(20), nullable=False),
    Column("act", String(60), nullable=False),
    Column("about", String(_NAME), nullable=False),
    Column("detail", Text, nullable=False),
    Column("before", LargeBinary(32), nullable=False),  # the hash of the row before
    Column("hash", LargeBinary(32), nullable=False),
)

api_keys: Final = Table(
    "api_keys",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("shop", String(_NAME), nullable=False),  # empty for every shop of the server
    Column("hash", LargeBinary(32), nullable=False),
    Column("role", String(20), nullable=False),
    Column("note", String(_NAME), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
)

jobs: Final = Table(
    "jobs",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("operation", String(60), nullable=False),
    Column("request", Text, nullable=False),
    Column("who", String(_NAME), nullable=False),
    Column("state", String(20), nullable=False),
    Column("wanted", String(20), nullable=False),  # "done", or "cancelled" once somebody asked for it
    Column("progress", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("ended", BigInteger),
    Column("lease", BigInteger),  # until when the worker that runs it is believed to live
    Index("jobs_by_state", "shop", "state", "created"),
)

experiments: Final = Table(
    "experiments",
    METADATA,
    Column("shop", String(_NAME), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
    Column("plan", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("stopped", BigInteger),
)

OF_ONE_SHOP: Final = (entries, posts, audit, jobs, experiments)
