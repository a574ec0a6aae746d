"""Our tables' version, and how they and Optuna's are made and brought up to date: all of it, or nothing."""

import re
from functools import cache

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from service.storage.database import suitability
from service.storage.database.tables import SCHEMA
from service.storage.errors import DatabaseUnsuitable, StorageError
from service.storage.optuna import tables as optunas

LOCK = 0x9E20DE  # any constant: one program initialises at a time
_VERSIONS = f"{SCHEMA}.alembic_version"
_OURS = re.compile(r"\d{4}")  # a revision of our migrations, of whatever release


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "service.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str | None:
    """The version that this program needs."""
    return ScriptDirectory.from_config(alembic()).get_current_head()


def revision(connection: sa.Connection) -> str | None:
    """The version of the tables that are there; None where there are none.

    Servers ask every few seconds, and Alembic would log two lines for every question.

    Raises:
        CommandError: the table has several.
    """
    if connection.execute(sa.text(f"SELECT to_regclass('{_VERSIONS}')")).scalar_one() is None:
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {_VERSIONS}")).scalars().all()
    if len(found) > 1:
        raise CommandError(f"{_VERSIONS} has {len(found)} rows instead of one")
    return next(iter(found), None)


def initialise(connection: sa.Connection) -> None:
    """Create or upgrade our tables and Optuna's in the connection's transaction; nothing is written if all is current.

    Raises:
        DatabaseUnsuitable: the database cannot hold them, or holds another program's.
        DatabaseUnreachable: this role lacks a right.
        StorageError: the database was made by a newer version of this program, or does not say by which.
    """
    _check_strangers(connection)
    suitability.check_reading(connection)
    current = revision(connection)
    if current is not None:
        suitability.check_search_path(connection)
    if current == head() and optunas.is_current(connection):
        suitability.check_rights(connection)
        return
    # For this transaction alone: first use of an empty database by several storages at once is a race in Optuna.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    suitability.check_server(connection)
    _check_ours(connection)
    _check_optunas(connection)
    is_complete = optunas.is_current(connection)
    suitability.check_making(connection, makes_optunas=not is_complete)
    if not _has_schema(connection):  # to look first: with IF NOT EXISTS too, the statement needs the right to create
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    config = alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if not is_complete:
        optunas.upgrade(connection)


def _has_schema(connection: sa.Connection) -> bool:
    has: bool = connection.execute(sa.text(f"SELECT to_regnamespace('{SCHEMA}') IS NOT NULL")).scalar_one()
    return has


def _check_ours(connection: sa.Connection) -> None:
    current = revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(alembic()).walk_revisions()}
    if current in known:
        return
    if current is not None:
        if _OURS.fullmatch(current):
            raise StorageError(f"the database's schema {current} is newer than this program: upgrade the program")
        raise DatabaseUnsuitable(
            f"the schema {SCHEMA} is another program's, of its version {current[:40]!r}: "
            "name another database in DATABASE_URL"
        )
    if suitability.has_our_runs(connection):
        raise StorageError(
            f"{_VERSIONS} is empty, so the version of the tables beside it is unknown: restore it from a "
            f"backup, or, if this release made them, INSERT INTO {_VERSIONS} VALUES ('{head()}')"
        )


def _check_strangers(connection: sa.Connection) -> None:
    """Look what is in our schema, which takes no right on it."""
    others = suitability.relations(connection)
    if others and not suitability.has_our_runs(connection):
        raise DatabaseUnsuitable(
            f"the schema {SCHEMA} has another program's tables ({', '.join(others[:3])}): "
            "name another database in DATABASE_URL"
        )


def _check_optunas(connection: sa.Connection) -> None:
    if table := optunas.stranger(connection):
        raise DatabaseUnsuitable(
            f"the table {table} is another program's, and Optuna's has the same name: "
            "name another database in DATABASE_URL"
        )
    if newer := optunas.newer(connection):
        raise StorageError(f"Optuna's tables are of the version {newer}, newer than this Optuna: upgrade the program")
