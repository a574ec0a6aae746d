"""What only the database can tell of a run's checkpoints: whose they are, and whether anybody will need them."""

from collections.abc import Collection

import sqlalchemy as sa

from service.storage.database.database import Database

_ID = sa.text(
    """
    SELECT to_hex(system_identifier) || '-' || (SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
    """
)
_OPEN = sa.text("SELECT id FROM fleet.runs WHERE id = ANY(:runs) AND state IN ('waiting', 'running')")


def database_id(db: Database) -> str:
    """Return a name of letters, digits and a hyphen that no other database has, a restored dump of this one included.

    A copy of the server's files has the same.
    """
    with db.engine.connect() as connection:
        name: str = connection.execute(_ID).scalar_one()
    return name


def open_among(db: Database, run_ids: Collection[int]) -> set[int]:
    """Return those of the runs that have not ended; a run that has ended, or is gone with its study, stays so."""
    with db.engine.connect() as connection:
        return set(connection.execute(_OPEN, {"runs": list(run_ids)}).scalars())
