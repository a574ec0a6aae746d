"""A worker's moves on the queue without any training, and what the database shows of them."""

import threading
import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.errors import StorageError
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies


def nothing() -> None:
    """Do nothing: these runs have no Optuna trial."""


def claimed(db: Database, seconds: float = 60.0) -> Lease:
    """A run leased by one more worker."""
    lease = claiming.claim(db, workers.register(db, "host", 1, "cpu"), seconds)
    assert lease is not None
    return lease


def ended(db: Database, value: float | None = None, state: RunState = RunState.COMPLETE) -> Lease:
    """One more run, claimed and ended at once with `value`."""
    lease = claimed(db)
    reason = unlike(lease) if state is RunState.FAILED else None
    holding.finish(db, lease, state, reason=reason, values=None if value is None else [value], tell=nothing)
    return lease


def unlike(lease: Lease) -> str:
    """A reason to fail that no other run has: a study whose first runs fail alike pauses itself."""
    return "trouble " + "".join("abcdefghij"[int(digit)] for digit in str(lease.ordinal))


def execute(db: Database, statement: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text(statement))


def pass_time(db: Database, seconds: float) -> None:
    """Let all leases have been taken so much earlier, and end so much sooner."""
    shift = f"interval '{seconds} seconds'"
    execute(db, f"UPDATE fleet.runs SET leased_at = leased_at - {shift}, lease_until = lease_until - {shift}")


def counts(db: Database, name: str) -> dict[str, int]:
    """The study's runs by state, those of which there are any."""
    return {state: runs for state, runs in studies.get(db, name).counts.items() if runs}


def reasons(db: Database) -> set[str]:
    """The reasons why runs were cancelled or failed."""
    with db.engine.connect() as connection:
        return set(connection.execute(sa.text("SELECT reason FROM fleet.runs WHERE reason IS NOT NULL")).scalars())


class Waiting:
    """Calls in threads of their own that come to wait for a lock, one after another."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._threads: list[threading.Thread] = []

    def call(self, call: Callable[[], object]) -> None:
        """Make the call, and return when it waits."""
        self._threads.append(threading.Thread(target=call))
        self._threads[-1].start()
        wait_until_blocked(self._db, len(self._threads))

    def join(self) -> None:
        """See all calls to their ends."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def at_once(db: Database, study: int, calls: Mapping[str, Callable[[], object]], first: str) -> None:
    """Make all calls while the study is locked, the one named `first` before the others; return when all have ended."""
    waiting = Waiting(db)
    with db.engine.begin() as connection:
        connection.execute(sa.text("SELECT FROM fleet.studies WHERE id = :id FOR UPDATE"), {"id": study})
        for name in sorted(calls, key=lambda name: name != first):
            waiting.call(calls[name])
    waiting.join()


def wait_until_blocked(db: Database, sessions: int) -> None:
    """Return when so many sessions of this database wait for a lock."""
    statement = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + 60
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(statement).scalar_one() < sessions:
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)


def noting(refused: list[type[Exception]], call: Callable[[], object]) -> None:
    """Make the call, and note what the storage refuses it with."""
    try:
        call()
    except StorageError as error:
        refused.append(type(error))
