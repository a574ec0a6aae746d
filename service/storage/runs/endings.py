"""Ends runs and, with the last of them, their study."""

import time
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.optuna.statements import LAST_REPORT, PRUNE, VALUES
from service.storage.runs import confirmation, legs, limits
from service.storage.runs.expressions import SPENT_S, WHOLE
from service.storage.states import RunState, storable

CANCEL_S = 2.0  # s for which a caller cancels runs: enough for all that wait in any study but those of old databases
BATCH = 100  # runs that one transaction cancels: some 10 ms

# The epochs in the books of a run that ends: those that were trained. A promoted trial's new holder counts from 0,
# and those of legs whose end was reached were trained all the same.
_TRAINED = """least(booked, greatest(epoch, (SELECT max(epochs) FROM fleet.legs
        WHERE run_id = runs.id AND cost IS NOT NULL)))"""

# The values are always those that Optuna was told; a run without a trial has its own.
_END = sa.text(
    f"""
    UPDATE fleet.runs SET state = :state, reason = :reason, best_epoch = :best_epoch, finished_at = now(),
        spent_s = {SPENT_S}, leased_at = NULL, lease_until = NULL, booked = {_TRAINED},
        values = coalesce(cast(:values AS float8[]), {VALUES.format("runs")})
    WHERE id = :run
    """
)

_HAS = "EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state = '{}')"

# The decision that no further run begins: claims heed it at once, and what waits is cancelled afterwards.
_CLOSE = sa.text(
    """
    UPDATE fleet.studies SET closing = :reason, dropped = dropped + to_come, to_come = 0
    WHERE id = :study AND (closing IS NULL OR to_come > 0)
    """
)
# What is paused waits for a promotion that will not come: no leg may begin, or none is left that could grow its rung.
_END_PAUSED = sa.text(
    f"""
    WITH ended AS (
        UPDATE fleet.runs SET state = 'pruned', finished_at = now(),
            reason = format('paused at the rung of %s epochs, and not promoted', booked),
            values = ARRAY({LAST_REPORT.format("runs")})
        WHERE id = ANY (ARRAY(SELECT id FROM fleet.runs WHERE study_id = :study AND state = 'paused'
            ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED))
            AND EXISTS (SELECT FROM fleet.studies s WHERE id = :study AND state <> 'stopped' AND (closing IS NOT NULL
                OR NOT (to_come > 0 OR {_HAS.format("waiting")} OR {_HAS.format("running")})))
        RETURNING trial_id),
    {PRUNE.format("ended")}
    SELECT count(*) FROM ended
    """
)
# A run that is being claimed at this moment is not waited for: it ends as one in training does. The study is not
# locked, and may have been extended or be confirmed by now: the runs that this added are not cancelled.
_CANCEL_WAITING = sa.text(
    f"""
    UPDATE fleet.runs SET state = 'cancelled', finished_at = now(), reason = :reason, booked = {_TRAINED}
    WHERE id = ANY (ARRAY(SELECT id FROM fleet.runs WHERE study_id = :study AND (state = 'waiting'
            OR state = 'paused' AND EXISTS (SELECT FROM fleet.studies WHERE id = :study AND state = 'stopped'))
        ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED))
        AND EXISTS (SELECT FROM fleet.studies WHERE id = :study
            AND (state = 'stopped' OR stage = 'search' AND closing IS NOT NULL))
    """
)

# Studies whose end is due: no run is open, or those that wait may not begin; of some that is still to be asked.
_DUE = sa.text(
    f"""
    SELECT s.id, o.waits AND ({limits.AT_ONCE}) IS NULL AS is_to_be_asked
    FROM fleet.studies s CROSS JOIN LATERAL (
        SELECT s.to_come > 0 OR {_HAS.format("waiting")} OR {_HAS.format("paused")} AS waits) o
    WHERE s.finished_at IS NULL AND s.id = coalesce(:study, s.id) AND {WHOLE} AND CASE
        WHEN o.waits THEN ({limits.AT_ONCE}) IS NOT NULL OR {limits.HAS_OTHERS}
            OR s.by_legs AND s.stage = 'search' AND NOT {_HAS.format("running")}
        ELSE NOT {_HAS.format("running")} END
    ORDER BY s.id
    """
)
_LOCK = sa.text("SELECT 1 FROM fleet.studies WHERE id = :study AND finished_at IS NULL FOR UPDATE")
_OPEN = sa.text(
    f"""
    SELECT s.to_come > 0 OR {_HAS.format("waiting")} OR {_HAS.format("running")} OR {_HAS.format("paused")}
    FROM fleet.studies s WHERE id = :study
    """
)
_IS_BY_LEGS = sa.text("SELECT EXISTS (SELECT FROM fleet.studies WHERE id = :study AND by_legs AND stage = 'search')")
_FINISH = sa.text("UPDATE fleet.studies SET finished_at = now() WHERE id = :study")


def end_run(
    connection: sa.Connection,
    run_id: int,
    state: RunState,
    reason: str | None,
    *,
    best_epoch: int | None = None,
    values: Sequence[float] | None = None,
) -> None:
    """End the run, which the caller has locked and whose Optuna trial has ended."""
    ending = {"state": state, "reason": reason and storable(reason), "best_epoch": best_epoch}
    connection.execute(_END, {"run": run_id, **ending, "values": values and list(values)})


def close(connection: sa.Connection, study_id: int, reason: str) -> None:
    """Let no further run of the study's search begin; the caller has locked the study.

    Claims heed it from its commit on. `close_finished_studies` cancels the runs that wait.
    """
    connection.execute(_CLOSE, {"study": study_id, "reason": reason})


def close_finished_studies(db: Database, study_id: int | None = None, seconds: float = CANCEL_S) -> int:
    """Cancel what waits in studies that were stopped or reached a limit, confirm or finish those without open runs,
    and return how many runs were cancelled, not counting those that had no rows.

    After about so many `seconds` the rest is left to the next call, of anybody. Call it after the commit that ended a
    run: the last of two that end at once sees both.
    """
    until = time.monotonic() + seconds
    with db.single() as connection:
        found = connection.execute(_DUE, {"study": study_id}).all()
    due = [row.id for row in found if not row.is_to_be_asked or _is_over(db, row.id)]
    return sum(_close(db, study, until) for study in due)


def _close(db: Database, study_id: int, until: float) -> int:
    """Do what `close_finished_studies` does for one study, checked again under a lock on it."""
    study = {"study": study_id}
    with db.engine.begin() as connection:
        legs.lock(connection, study_id)
        if connection.execute(_LOCK, study).one_or_none() is None:
            return 0
        outlook = _outlook(connection, study_id)
        if not isinstance(outlook, legs.Never):
            _finish(connection, study_id)
            return 0
        if outlook.reason is not None:
            close(connection, study_id, outlook.reason)
    cancelled = 0 if outlook.reason is None else _cancel_waiting(db, study_id, outlook.reason, until)
    _end_paused(db, study_id, until)
    with db.engine.begin() as connection:
        if connection.execute(_LOCK, study).one_or_none() is not None:
            _finish(connection, study_id)
    return cancelled


def _is_over(db: Database, study_id: int) -> bool:
    """Whether no further run of the study's search may begin, as far as it can be told now."""
    with db.engine.connect() as connection:
        return isinstance(_outlook(connection, study_id), legs.Never)


def _outlook(connection: sa.Connection, study_id: int) -> legs.Choice | None:
    """Whether a run of the study's search may still begin; None for a study of which only its runs can tell.

    The study's legs are locked from here on.
    """
    reason = limits.reached(connection, study_id)
    if reason is not None:
        return legs.Never(reason)
    if not connection.execute(_IS_BY_LEGS, {"study": study_id}).scalar_one():
        return None
    legs.lock(connection, study_id)
    return legs.choose(connection, study_id)


def _finish(connection: sa.Connection, study_id: int) -> None:
    """Confirm or finish the study, which the caller has locked, if no run is open."""
    study = {"study": study_id}
    if not connection.execute(_OPEN, study).scalar_one() and not confirmation.schedule(connection, study_id):
        connection.execute(_FINISH, study)


def _end_paused(db: Database, study_id: int, until: float) -> None:
    """End the study's paused runs in short transactions, if no leg of it may begin any more.

    The study is locked before each statement that asks whether: who extends it meanwhile keeps what is paused.
    """
    values = {"study": study_id, "batch": BATCH}
    while True:
        with db.engine.begin() as connection:
            if connection.execute(_LOCK, {"study": study_id}).one_or_none() is None:
                return
            ended = connection.execute(_END_PAUSED, {**values, "now": datetime.now()}).scalar_one()  # as Optuna's
        if ended < BATCH or time.monotonic() > until:
            return


def _cancel_waiting(db: Database, study_id: int, reason: str, until: float) -> int:
    """Cancel the study's waiting runs in short transactions, and return how many."""
    values = {"study": study_id, "reason": reason, "batch": BATCH}
    cancelled = 0
    while True:
        with db.engine.begin() as connection:
            batch = connection.execute(_CANCEL_WAITING, values).rowcount
        cancelled += batch
        if batch < BATCH or time.monotonic() > until:
            return cancelled
