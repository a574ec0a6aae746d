"""Ends runs and, with the last of them, their study."""

from collections.abc import Sequence

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.optuna.statements import VALUES
from service.storage.runs import confirmation, limits
from service.storage.runs.expressions import SPENT_S, WHOLE
from service.storage.states import RunState, storable

# The values are always those that Optuna was told; a run without a trial has its own.
_END = sa.text(
    f"""
    UPDATE fleet.runs SET state = :state, reason = :reason, best_epoch = :best_epoch, finished_at = now(),
        spent_s = {SPENT_S}, leased_at = NULL, lease_until = NULL,
        values = coalesce(cast(:values AS float8[]), {VALUES.format("runs")})
    WHERE id = :run
    """
)

_CANCEL_WAITING = sa.text(
    """
    UPDATE fleet.runs SET state = 'cancelled', finished_at = now(), reason = :reason
    WHERE study_id = :study AND state = 'waiting'
    """
)

_HAS = "EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state = '{}')"

# Studies whose end is due: no run is open, or the waiting ones may not begin.
_DUE = sa.text(
    f"""
    SELECT s.id FROM fleet.studies s WHERE s.finished_at IS NULL AND s.id = coalesce(:study, s.id) AND {WHOLE}
        AND CASE WHEN {_HAS.format("waiting")} THEN ({limits.REASON}) IS NOT NULL
            ELSE NOT {_HAS.format("running")} END
    """
)
_LOCK = sa.text("SELECT 1 FROM fleet.studies WHERE id = :study AND finished_at IS NULL FOR UPDATE")
_OPEN = sa.text(f"SELECT {_HAS.format('waiting')} OR {_HAS.format('running')} FROM fleet.studies s WHERE id = :study")
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


def close_finished_studies(db: Database, study_id: int | None = None) -> int:
    """Cancel what waits in studies that were stopped or reached a limit, confirm or finish those without open runs,
    and return how many runs were cancelled.

    Call it after the commit that ended a run: the last of two that end at once sees both.
    """
    with db.engine.connect() as connection:
        due = connection.execute(_DUE, {"study": study_id}).scalars().all()
    return sum(_close(db, study) for study in due)


def _close(db: Database, study_id: int) -> int:
    """Do what `close_finished_studies` does for one study, checked again under a lock on it."""
    study = {"study": study_id}
    with db.engine.begin() as connection:
        if connection.execute(_LOCK, study).one_or_none() is None:
            return 0
        reason = limits.reached(connection, study_id)
        cancelled = 0 if reason is None else connection.execute(_CANCEL_WAITING, {**study, "reason": reason}).rowcount
        if not connection.execute(_OPEN, study).scalar_one() and not confirmation.schedule(connection, study_id):
            connection.execute(_FINISH, study)
    return cancelled
