"""Ends runs whose worker is gone, and the Optuna trials that were left behind."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from service.storage.database.database import Database
from service.storage.optuna import infeasible, statements, trials
from service.storage.runs import counting, failing, history, removal
from service.storage.runs.endings import close_finished_studies, end_run
from service.storage.runs.expressions import METRIC, SIGN, WHOLE
from service.storage.runs.history import Attempt
from service.storage.states import STUDY_STOPPED, AttemptState, RunState, Stage
from service.times import to_second

SWEEP_S = 0.0  # s: a worker's next claim waits for one batch of each

_WHERE_LOST = f"""
    FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
    WHERE r.state = 'running' AND r.lease_until < now()
        AND pg_postmaster_start_time() < now() - interval '5 seconds'
        AND (s.state = 'stopped' OR r.attempts > (s.definition->>'retries')::int) AND {WHOLE}
"""
_LOSING = sa.text(f"SELECT DISTINCT r.study_id {_WHERE_LOST}")
_LOST = sa.text(
    f"""
    SELECT r.id, r.stage, r.attempts, r.trial_id, s.state, {statements.TOLD.format("r")} AS told {_WHERE_LOST}
        AND r.study_id = :study LIMIT 1 FOR UPDATE OF r SKIP LOCKED
    """
)

# The epoch at which the first objective was best in the first repeat, for a trial that was ended outside of `finish`,
# by hand or by an earlier release.
_BEST_EPOCH = sa.text(
    f"""
    SELECT c.epoch FROM fleet.curves c JOIN fleet.runs r ON r.id = c.run_id JOIN fleet.studies s ON s.id = r.study_id
    WHERE r.id = :run AND c.repeat = 0 AND c.split || '_' || c.metric = {METRIC.format("s.definition")}
        AND c.value NOT IN ('NaN', 'Infinity', '-Infinity')
    ORDER BY c.value * {SIGN.format("s.definition")}, c.epoch LIMIT 1
    """
)


def expire(db: Database) -> int:
    """End the runs that may not be taken over, and return their number.

    These are runs whose leases ended once more than their study's `retries`, runs of stopped studies whose holder
    died, and waiting runs of studies that were stopped or reached a limit. A run whose trial has ended in Optuna ends
    in the same way. `tidy` does a piece of its work. Any worker may call this at any time.
    """
    db.keep_up()
    with db.engine.connect() as connection:
        losing = connection.execute(_LOSING).scalars().all()
    ended = 0
    for study_id in losing:
        while _end_a_lost_run(db, study_id):
            ended += 1
    return ended + tidy(db, SWEEP_S)[0]


def tidy(db: Database, seconds: float) -> tuple[int, bool]:
    """Cancel what waits in studies that were stopped or reached a limit, fail the Optuna trials that ended runs left
    behind, add counts up, and remove what deleted studies left; return how many runs were cancelled, and whether
    anything may be left to do.

    Where much is left, each of the others takes about so many seconds. Anybody may call this at any time.
    """
    cancelled = close_finished_studies(db, seconds=seconds)
    fail_left_behind(db)
    are_left = [counting.fold(db, seconds), removal.remove(db, seconds)]
    return cancelled, cancelled > 0 or any(are_left)


def fail_left_behind(db: Database, optuna_study_id: int | None = None) -> None:
    """Fail the running Optuna trials that no run needs, of all studies or of one: nobody trains them any more."""
    with db.engine.connect() as connection:
        behind = statements.left_behind(connection, optuna_study_id)
    for trial_id, reason in behind:
        trials.fail(db, trial_id, reason)


def _end_a_lost_run(db: Database, study_id: int) -> bool:
    with db.transaction() as connection:
        may_pause = failing.may_pause(connection, study_id, RunState.FAILED)
        row = connection.execute(_LOST, {"study": study_id}).one_or_none()
        if row is None:
            return False
        match row.told:
            case "COMPLETE":
                best_epoch = connection.execute(_BEST_EPOCH, {"run": row.id}).scalar_one_or_none()
                end_run(connection, row.id, RunState.COMPLETE, None, best_epoch=best_epoch)
            case "PRUNED":
                end_run(connection, row.id, *_ending_of_pruned(db.optuna.get_trial(row.trial_id)))
            case _:
                state, reason = _ending(row, history.attempts(connection, row.id))
                end_run(connection, row.id, state, reason)
                if may_pause and state is RunState.FAILED:
                    failing.pause_if_alike(connection, study_id, Stage(row.stage), reason)
    return True


def _ending_of_pruned(trial: FrozenTrial) -> tuple[RunState, str | None]:
    """Return how the run of a pruned trial ended: Optuna also has trials that fitted into no memory as pruned."""
    if infeasible.was_told(trial):
        return RunState.FAILED, trials.reason_of(trial)
    return RunState.PRUNED, None


def _ending(row: sa.Row[Any], attempts: Sequence[Attempt]) -> tuple[RunState, str | None]:
    if row.state == "stopped":
        return RunState.CANCELLED, STUDY_STOPPED
    preempted = AttemptState.PREEMPTED
    holders = ", ".join(f"{one.worker} at {to_second(one.started_at)}" for one in attempts if one.state != preempted)
    times = "once" if row.attempts == 1 else f"{row.attempts} times"
    return RunState.FAILED, f"its worker was lost {times} (retries used up): {holders}"
