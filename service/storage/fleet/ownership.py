"""The facts about checkpoints that only the database has: which database they belong to, and which are needed."""

from collections.abc import Collection

import sqlalchemy as sa

from service.storage.database.database import Database

_ID = sa.text(
    """
    SELECT to_hex(system_identifier) || '-' || (SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
    """
)
_OPEN = sa.text("SELECT id FROM fleet.runs WHERE id = ANY(:runs) AND state IN ('waiting', 'running', 'paused')")


def database_id(db: Database) -> str:
    """Return a name of letters, digits and a hyphen that no other database has, a restored dump of this one included.

    A copy of the server's files has the same name.
    """
    with db.engine.connect() as connection:
        name: str = connection.execute(_ID).scalar_one()
    return name


def open_among(db: Database, run_ids: Collection[int]) -> set[int]:
    """Return those of the runs that have not ended; a run that has ended or was deleted never opens again."""
    with db.engine.connect() as connection:
        return set(connection.execute(_OPEN, {"runs": list(run_ids)}).scalars())
