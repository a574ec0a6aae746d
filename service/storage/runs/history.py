"""The history of a run for people: each holder, from when to when, and how that ended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import AttemptState


@dataclass(frozen=True)
class Attempt:
    """One worker's time with a run."""

    number: int  # from 1; the one after a preempted or paused one has its number again
    state: AttemptState
    worker: str | None  # host:pid; None once the worker was deleted
    started_at: datetime
    ended_at: datetime | None
    reason: str | None
    first_token: int = 0  # of the run, under which the attempt began; those up to `last_token` are its own
    last_token: int = 0


_CHANGES = sa.text(
    """
    SELECT h.at, h.state, h.token, h.attempts, h.worker_id, h.reason, w.host || ':' || w.pid AS worker
    FROM fleet.run_history h LEFT JOIN fleet.workers w ON w.id = h.worker_id WHERE h.run_id = :run ORDER BY h.id
    """
)


def of_run(db: Database, run_id: int) -> list[Attempt]:
    """Return the run's attempts, the first one first."""
    with db.engine.connect() as connection:
        return attempts(connection, run_id)


def attempts(connection: sa.Connection, run_id: int) -> list[Attempt]:
    """Return what `of_run` returns, within the connection's transaction."""
    return _read(connection.execute(_CHANGES, {"run": run_id}))


def _read(changes: Iterable[sa.Row[Any]]) -> list[Attempt]:
    """Return the attempts in the rows that the trigger wrote, one row for every change of state or holder."""
    found: list[Attempt] = []
    holder = None
    for change in changes:
        present = found[-1] if found and found[-1].ended_at is None else None
        if change.state == "running":
            if present and change.worker_id == holder:
                found[-1] = replace(present, last_token=change.token)
                continue  # the answer to its claim was lost, and it claimed again
            if present:
                found[-1] = replace(present, state=AttemptState.LOST, ended_at=change.at)
            began = Attempt(change.attempts, AttemptState.RUNNING, change.worker, change.at, None, None)
            found.append(replace(began, first_token=change.token, last_token=change.token))
            holder = change.worker_id
        elif present:
            state = _returned(change, present) if change.state == "waiting" else AttemptState(change.state)
            found[-1] = replace(present, state=state, ended_at=change.at, reason=change.reason)
    return found


def _returned(change: sa.Row[Any], attempt: Attempt) -> AttemptState:
    """Return how an attempt ended whose run went back to the queue: an attempt that counts was lost."""
    return AttemptState.LOST if change.attempts == attempt.number else AttemptState.PREEMPTED
