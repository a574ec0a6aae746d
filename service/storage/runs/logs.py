"""What the attempts of a run have written, and why they failed: a row for every holder, under its token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from service.storage.database.database import Database
from service.storage.database.tables import logs
from service.storage.records import Lease, Log
from service.storage.runs import history
from service.storage.runs.history import Attempt


@dataclass(frozen=True)
class Kept:
    """An attempt, its place among those of its run from 1, and its log; `at` is None where nothing was kept."""

    place: int
    attempt: Attempt
    log: Log
    at: datetime | None


def write(connection: sa.Connection, lease: Lease, log: Log) -> None:
    """Write the log of the run's holder, replacing an earlier one of its; the caller has locked the run."""
    row = {
        "run_id": lease.run_id,
        "token": lease.token,
        "at": sa.func.clock_timestamp(),
        "stdout": log.stdout.encode(),
        "stderr": log.stderr.encode(),
        "written": list(log.written),
        "traceback": None if log.traceback is None else log.traceback.encode(),
    }
    written = insert(logs).values(row)
    connection.execute(written.on_conflict_do_update(constraint=logs.primary_key, set_=dict(written.excluded)))


def of_run(db: Database, run_id: int) -> list[Kept]:
    """Return all attempts of the run with what they have written, the first one first."""
    with db.engine.connect() as connection:
        attempts = history.attempts(connection, run_id)
        rows = connection.execute(sa.select(logs).where(logs.c.run_id == run_id).order_by(logs.c.token)).all()
    return [_kept(place, attempt, rows) for place, attempt in enumerate(attempts, 1)]


def _kept(place: int, attempt: Attempt, rows: Sequence[sa.Row[Any]]) -> Kept:
    """The attempt with the last log of its tokens: a worker that claims again what it holds has a new one."""
    own = [row for row in rows if attempt.first_token <= row.token <= attempt.last_token]
    if not own:
        return Kept(place, attempt, Log(), None)
    last = own[-1]
    traceback = None if last.traceback is None else bytes(last.traceback).decode()
    stdout, stderr = bytes(last.stdout).decode(), bytes(last.stderr).decode()
    return Kept(place, attempt, Log(stdout, stderr, (last.written[0], last.written[1]), traceback), last.at)
