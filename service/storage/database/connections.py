"""A program's connections to Postgres: few, and kept only as long as the server has room.

A training worker needs the database for some milliseconds an epoch. While the server has room, it keeps its
connections for a minute; the fuller the server, the sooner it closes them. Any number of workers thus share the
connections, at no cost to a small fleet. A connection that a full server refuses is tried again.
"""

import random
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2.errorcodes import TOO_MANY_CONNECTIONS
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from service.storage import libpq
from service.storage.database import refusals

FULL_S = 20.0  # s for which a full server is tried again; then `patiently` takes over
_FIRST_S, _LONGEST_S = 0.2, 3.0  # not more often: a refusal costs the server a process
SURE_S = 10.0  # s without use until a connection is asked whether it works, as long as the kernel waits to ask
IDLE_S = 0.1  # s without use after which a connection is idle: asking for a trial uses it many times in a row
# Seconds that a worker keeps its connections, by the share of the server's that are in use.
LONGEST_S = 60.0
KEPT_S = {0.5: LONGEST_S, 0.8: 2.0, 1.0: IDLE_S}

_SETTINGS: dict[str, Any] = {
    "connect_timeout": 3,  # s
    "application_name": "pernodedrop",
    "client_encoding": "UTF8",
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,  # ms, for what was sent and never acknowledged
}
# What a role, a database or a server may set otherwise. Ours are statements for read committed: what they read under a
# lock is what its last holder wrote, while a snapshot from before the wait would let two of them decide the same. Fewer
# digits would round every figure. Times are in ms; the last one frees the locks of a client that froze, or lost its
# machine, inside a transaction.
_OPTIONS = (
    "-c default_transaction_isolation=read\\ committed -c extra_float_digits=1 -c standard_conforming_strings=on "
    "-c timezone=UTC -c statement_timeout=60000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=60000"
)

# Every user may read this; other users' rows of pg_stat_activity are hidden.
_IN_USE = "SELECT sum(numbackends)::float / current_setting('max_connections')::int FROM pg_stat_database"


def engine_options(url: str, pool_size: int) -> dict[str, Any]:
    """Arguments of `create_engine` for at most `pool_size` + 2 connections to `url`."""
    return {
        "creator": lambda: _connect(url),
        "pool_size": pool_size,
        "max_overflow": 2,
        "pool_timeout": 10,  # s
        "pool_recycle": 1800,  # s
    }


def check_before_use(engine: sa.Engine) -> None:
    """Have the engine replace connections that the server has closed, at no cost while they are in use, and give
    transactions again to those that `single` has had.

    A server that ends says so, or its kernel does, and the connection can be read from. One that has been silent for
    longer than `SURE_S` is asked: a network may have dropped it without a word.
    """

    def note(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()
        if connection is not None and not connection.closed and connection.autocommit:  # `single` had it
            connection.autocommit = False

    def check(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        used_at = record.info.get("used_at")  # none for a new one
        if used_at is None or (time.monotonic() < used_at + SURE_S and not _says_something(connection)):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            if engine.dialect.is_disconnect(error, connection, None):
                raise InvalidatePoolError from error
            raise

    sa.event.listen(engine, "checkin", note)
    sa.event.listen(engine, "checkout", check)


@contextmanager
def single(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection for one statement, or several that are transactions of their own.

    Nothing is sent to begin a transaction and to end it, which would take as long as a short statement twice. The
    driver is told directly: SQLAlchemy's AUTOCOMMIT sends a statement when it is left. `check_before_use` undoes it.
    """
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        yield connection


def _says_something(connection: Any) -> bool:
    """Whether the server has said what nobody has asked for: that it ends, or nothing, as it is gone."""
    if connection.closed or connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def is_full(error: Exception) -> bool:
    """Whether the server refused a connection because it has as many as it allows."""
    return bool(refusals.code_of(str(error)) == TOO_MANY_CONNECTIONS)


class IdleConnections:
    """Closes an engine's idle connections some time after it opened the first; they are opened again when needed.

    The time depends on how full the server was when they were opened.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._timer: threading.Timer | None = None
        self._ends_at = float("inf")
        self._lock = threading.Lock()
        self._used_at = time.monotonic()
        self._kept_s = LONGEST_S
        sa.event.listen(engine, "connect", self._opened)
        sa.event.listen(engine, "checkin", self._used)

    @property
    def is_crowded(self) -> bool:
        """Whether the server was short of connections when one was last opened."""
        return self._kept_s < LONGEST_S

    def cancel(self) -> None:
        """Close nothing until a connection is opened again."""
        with self._lock:
            self._schedule(float("inf"))

    def _opened(self, connection: Any, _: object) -> None:
        seconds = self._kept_s = _kept_s(connection)
        with self._lock:
            if time.monotonic() + seconds < self._ends_at:
                self._schedule(seconds)

    def _used(self, *_: object) -> None:
        self._used_at = time.monotonic()

    def _end(self) -> None:
        with self._lock:
            if threading.current_thread() is not self._timer:  # another was set while this one fired
                return
            pool = self._engine.pool
            assert isinstance(pool, sa.QueuePool)
            if pool.checkedout() > 0 or time.monotonic() < self._used_at + IDLE_S:
                self._schedule(IDLE_S)
                return
            self._schedule(float("inf"))
        self._engine.dispose()

    def _schedule(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._ends_at = None, time.monotonic() + seconds
        if seconds < float("inf"):
            self._timer = threading.Timer(seconds, self._end)
            self._timer.daemon = True
            self._timer.start()


def _kept_s(connection: Any) -> float:
    with connection.cursor() as cursor:
        cursor.execute(_IN_USE)
        [in_use] = cursor.fetchone()
    connection.rollback()
    return next((seconds for share, seconds in KEPT_S.items() if in_use <= share), KEPT_S[1.0])


def _in_utc(connection: Any) -> Any:
    """The connection, whose times PGTZ would have in another zone."""
    if connection.info.parameter_status("TimeZone") != "UTC":
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
        connection.commit()
    return connection


def _connect(url: str) -> Any:
    address = sa.make_url(url)
    _, given = address.get_dialect()().create_connect_args(address)
    options = (
        f"{libpq.options(_OPTIONS)} {given.get('options', '')}".strip()
    )  # of two settings of one parameter the last one counts
    arguments = _SETTINGS | dict(given) | {"options": options, "client_encoding": "UTF8"}
    deadline, pause = time.monotonic() + FULL_S, _FIRST_S
    while True:
        try:
            return _in_utc(psycopg2.connect(**arguments))
        except psycopg2.OperationalError as error:
            if time.monotonic() + pause > deadline or not is_full(error):
                raise libpq.named(error, arguments) from error
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, _LONGEST_S)
