"""Alembic's entry point: the connection comes from `initialise`, which holds the lock."""

from alembic import context

from service.storage.database.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
