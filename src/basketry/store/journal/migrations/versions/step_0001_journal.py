"""The journal as it began, with row-level security where the database has it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

_CONFINED: Final = ("heads", "entries", "posts", "audit", "jobs", "experiments")


def _text(name: str, length: int = 200, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, autoincrement=False, nullable=nullable)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(32), nullable=False)


def _long(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Make every table."""
    op.create_table("heads", _text("shop", key=True), _number("entries"), _number("audit"))
    op.create_table(
        "entries",
        *(_text("shop", key=True), _number("number", key=True), _text("kind", 20), _text("id"), _number("ts")),
        *(_text("customer_id"), _text("product_id"), _long("body"), _bytes("digest"), _number("received")),
    )
    op.create_index("entries_by_id", "entries", ["shop", "kind", "id"], unique=True)
    op.create_index("entries_by_customer", "entries", ["shop", "customer_id", "ts"])
    op.create_table(
        "posts", _text("shop", key=True), _text("key", key=True), _bytes("digest"), _long("answer"), _number("received")
    )
    op.create_table(
        "audit",
        *(_text("shop", key=True), _number("number", key=True), _number("ts"), _text("who"), _text("role", 20)),
        *(_text("act", 60), _text("about"), _long("detail"), _bytes("before"), _bytes("hash")),
    )
    op.create_table(
        "api_keys",
        *(_text("id", 40, key=True), _text("shop"), _bytes("hash"), _text("role", 20), _text("note"), _number("created")),
        *(_number("expires", nullable=True), _number("revoked", nullable=True)),
    )
    op.create_table(
        "jobs",
        *(_text("shop", key=True), _text("id", 40, key=True), _text("operation", 60), _long("request"), _text("who")),
        *(_text("state", 20), _text("wanted", 20), _long("progress"), _long("result")),
        sa.Column("attempts", sa.Integer, nullable=False),
        *(_number("created"), *(_number(name, nullable=True) for name in ("started", "ended", "lease"))),
    )
    op.create_index("jobs_by_state", "jobs", ["shop", "state", "created"])
    op.create_table(
        "experiments",
        *(_text("shop", key=True), _text("name", key=True), _long("plan"), _text("state", 20), _number("created")),
        *(_number(name, nullable=True) for name in ("started", "stopped")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _CONFINED:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            own = "shop = current_setting('basketry.shop', true)"
            op.execute(f"CREATE POLICY of_one_shop ON {table} USING ({own}) WITH CHECK ({own})")


def downgrade() -> None:
    """There is no way back: what the journal holds exists nowhere else."""
    raise NotImplementedError("restore the journal from a backup")
