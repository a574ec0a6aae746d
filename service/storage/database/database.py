"""One Postgres for everything: Optuna's tables and our own, reached through psycopg2."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import optuna
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import ArgumentError

from service.storage.database.connections import IdleConnections, engine_options
from service.storage.database.incarnation import INCARNATION
from service.storage.database.patience import patiently
from service.storage.database.plainly import plainly
from service.storage.database.tables import SCHEMA
from service.storage.errors import SchemaOutdated, StorageError
from service.storage.optuna.storage import SharedStorage, read_again

DRIVER = "postgresql+psycopg2"
_ACCEPTED = ("postgres", "postgresql", DRIVER)
_INITIALISE_LOCK = 0x9E20DE  # any constant: one program initialises at a time
STRUCK_S = 5.0  # s for which a command that was cut off is repeated


def normalise_url(text: str) -> str:
    """Return `text` as a `postgresql+psycopg2://` URL.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, and `postgres://` not at all.

    Raises:
        ValueError: `text` is not a URL, or names a database other than Postgres.
    """
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise ValueError("DATABASE_URL is not a URL: write postgresql://user:password@host:5432/name") from None
    if url.drivername not in _ACCEPTED:
        raise ValueError(f"DATABASE_URL must name a Postgres database (postgresql://...), got {url.drivername}://")
    return url.set(drivername=DRIVER).render_as_string(hide_password=False)


class Database:
    """A Postgres database that holds Optuna's schema and ours. It connects at first use."""

    def __init__(self, url: str, pool_size: int = 2, *, lasting: bool = False) -> None:
        self.url = normalise_url(url)
        self._options = engine_options(self.url, pool_size)
        self.engine = sa.create_engine(self.url, **self._options)
        self._idle_connections = None if lasting else IdleConnections(self.engine)
        self._storages: tuple[BaseStorage, SharedStorage] | None = None  # Optuna's cache around ours, and ours
        self._storage_lock = threading.Lock()
        self._incarnation: str | None = None  # of the database that Optuna's cache was read from

    @classmethod
    def open(cls, url: str, pool_size: int = 2, *, lasting: bool = False) -> Self:
        """Open `url` (any spelling that `normalise_url` takes) with at most `pool_size` + 2 connections.

        They are kept only for a while (`service.storage.database.connections`), since many workers share the server; a
        server process asks for `lasting` ones.
        """
        return cls(url, pool_size, lasting=lasting)

    @property
    def optuna(self) -> BaseStorage:
        """Optuna's storage on the same database, with its cache of finished trials; connects at first use."""
        return self._opened()[0]

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open one transaction for our statements and for what this thread does with `optuna` meanwhile.

        It uses one connection, and either all of it happens or nothing.
        """
        _, storage = self._opened()
        with self.engine.begin() as connection, storage.joined(connection):
            yield connection

    def _opened(self) -> tuple[BaseStorage, SharedStorage]:
        with self._storage_lock:
            if self._storages is None:
                storage = SharedStorage(self.engine, self._options)
                self._storages = optuna.storages.get_storage(storage), storage
            return self._storages

    def heed(self, incarnation: str) -> None:
        """Read Optuna's cached trials again unless they were read from this incarnation of the database.

        After a dump was restored, trials of the same ids may be others, or be in training again.
        """
        with self._storage_lock:
            if incarnation != self._incarnation and self._storages is not None:
                read_again(self._storages[0])
            self._incarnation = incarnation

    def keep_up(self) -> None:
        """Do what `heed` does with the incarnation that answers now."""
        with self.engine.connect() as connection:
            incarnation: str = connection.execute(sa.text(f"SELECT {INCARNATION}")).scalar_one()
        self.heed(incarnation)

    def doubt(self) -> None:
        """Let the next `heed` read again in any case: the database has not what it should have."""
        self._incarnation = None

    def is_crowded(self) -> bool:
        """Whether the server is short of connections, so that work that can wait should not open one."""
        return self._idle_connections is not None and self._idle_connections.is_crowded

    def check(self) -> None:
        """Return if the database answers and its schema is the one this program was written for.

        Raises:
            DatabaseUnreachable: it does not answer, or refuses this user.
            DatabaseRefuses: it answers with another error.
            SchemaOutdated: `pernodedrop db init` has not run, or another version ran it.
        """
        with plainly(), self.engine.connect() as connection:
            current = _revision(connection)
        head = _head()
        if current != head:
            raise SchemaOutdated(
                f"the database's schema is {current or 'missing'}, this program needs {head}: run `pernodedrop db init`"
            )

    def ping(self) -> None:
        """Return if the database answers.

        Raises:
            sqlalchemy.exc.OperationalError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        if self._idle_connections is not None:
            self._idle_connections.cancel()
        if self._storages is not None:
            self._storages[1].remove_session()
            self._storages = None
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def initialise(url: str) -> None:
    """Create or upgrade Optuna's schema and ours. Safe to call again and from many processes at once.

    Raises:
        DatabaseUnreachable: no database answers at `url`.
        DatabaseRefuses: it refuses to create the tables.
        StorageError: the database was made by a newer version of this program, or does not say by which.
    """
    with Database(url) as db, plainly():
        db.ping()
        patiently(lambda: _initialise(db), seconds=STRUCK_S)


def _initialise(db: Database) -> None:
    with db.engine.connect() as connection:
        # A session lock, held across the transactions of both schemas, and until `db` closes its connections: first
        # use of an empty database by several storages at once is a race in Optuna.
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _INITIALISE_LOCK})
        connection.commit()
        _upgrade_ours(connection)
        _upgrade_optuna(db)


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "service.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _head() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _revision(connection: sa.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def _upgrade_ours(connection: sa.Connection) -> None:
    connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    current = _revision(connection)
    if current is not None and current not in known:
        raise StorageError(f"the database's schema {current} is newer than this program: upgrade the program")
    if current is None and connection.execute(sa.text(f"SELECT to_regclass('{SCHEMA}.runs')")).scalar() is not None:
        raise StorageError(
            f"{SCHEMA}.alembic_version is empty, so the version of the tables beside it is unknown: restore it from a "
            f"backup, or, if this release made them, INSERT INTO {SCHEMA}.alembic_version VALUES ('{_head()}')"
        )
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _upgrade_optuna(db: Database) -> None:
    storage = RDBStorage(db.url, engine_kwargs=db._options, skip_compatibility_check=True)
    try:
        if storage.get_current_version() != storage.get_head_version():
            storage.upgrade()  # only when needed: it reconfigures the logging of the whole process
    finally:
        storage.remove_session()
        storage.engine.dispose()
