"""How Alembic reaches the database: by the connection that `migrating` holds, never by an address of its own."""

from __future__ import annotations

from alembic import context

from basketry.store.journal.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
