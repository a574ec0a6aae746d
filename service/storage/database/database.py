"""One Postgres for everything: Optuna's tables and our own, reached through psycopg2."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Self

import sqlalchemy as sa
from optuna.storages import BaseStorage

from service.storage.database import schema, suitability
from service.storage.database.address import normalise_url
from service.storage.database.connections import IdleConnections, check_before_use, engine_options, single
from service.storage.database.incarnation import INCARNATION
from service.storage.database.patience import patiently
from service.storage.database.plainly import plainly
from service.storage.database.sqlstates import FULL, trouble_of
from service.storage.errors import SchemaOutdated
from service.storage.optuna.storage import SharedStorage, TrialsCache, read_again

STRUCK_S = 5.0  # s for which a command that was cut off is repeated


class Database:
    """A Postgres database that holds Optuna's schema and ours. It connects at first use."""

    def __init__(self, url: str, pool_size: int = 2, *, lasting: bool = False) -> None:
        self.url = normalise_url(url)
        self._options = engine_options(self.url, pool_size)
        self.engine = sa.create_engine(self.url, **self._options)
        check_before_use(self.engine)
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

    def single(self) -> AbstractContextManager[sa.Connection]:
        """A connection for one statement, see `connections.single`."""
        return single(self.engine)

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
                storage = SharedStorage(self.engine, self._options, self.single)
                self._storages = TrialsCache(storage), storage
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
            DatabaseUnreachable: it does not answer, refuses this user, or lets it not look at the tables.
            DatabaseRefuses: it answers with another error.
            SchemaOutdated: `pernodedrop db init` has not run, or another version ran it.
        """
        with plainly(), self.engine.connect() as connection:
            _check_schema(connection)

    def check_ready(self) -> None:
        """Return if, besides, it takes writes, its disk has room, and this user has every right on the tables.

        Raises:
            What `check` raises.
        """
        with plainly(), self.engine.connect() as connection:
            _check_usable(connection)
            suitability.check_room(connection)

    def has_room(self) -> bool:
        """Return whether its disk has room, if all else is as `check_ready` wants it.

        Raises:
            What `check` raises.
        """
        with plainly(), self.engine.connect() as connection:
            _check_usable(connection)
            try:
                suitability.check_room(connection)
            except sa.exc.DBAPIError as error:
                trouble = trouble_of(error)
                if trouble is None or trouble.state != FULL:
                    raise
                return False
            return True

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


def _check_usable(connection: sa.Connection) -> None:
    _check_schema(connection)
    suitability.check_writable(connection)
    suitability.check_rights(connection)


def _check_schema(connection: sa.Connection) -> None:
    suitability.check_reading(connection)
    current, head = schema.revision(connection), schema.head()
    if current != head:
        raise SchemaOutdated(
            f"the database's schema is {current or 'missing'}, this program needs {head}: run `pernodedrop db init`"
        )
    suitability.check_search_path(connection)


def initialise(url: str) -> None:
    """Create or upgrade Optuna's schema and ours, in one transaction. Safe to call again and from many processes at
    once; nothing is written where both are current.

    Raises:
        DatabaseUnreachable: no database answers at `url`, or its user lacks a right.
        DatabaseRefuses: it refuses to create the tables, or cannot hold them.
        StorageError: the database was made by a newer version of this program, or does not say by which.
    """
    with Database(url) as db, plainly():
        db.ping()
        patiently(lambda: _initialise(db), seconds=STRUCK_S)


def _initialise(db: Database) -> None:
    with db.engine.begin() as connection:
        schema.initialise(connection)
