"""What nobody will end any more is ended by whoever is alive."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from service.storage import history
from service.storage.database import Database
from service.storage.endings import close_finished_studies, end_run
from service.storage.history import Attempt
from service.storage.optuna import infeasible
from service.storage.states import STUDY_STOPPED, AttemptState, RunState

_LOST = sa.text(
    """
    SELECT r.id, r.attempts, r.trial_id, s.state, t.state AS told FROM fleet.runs r
    JOIN fleet.studies s ON s.id = r.study_id LEFT JOIN trials t ON t.trial_id = r.trial_id
    WHERE r.state = 'running' AND r.lease_until < now()
        AND pg_postmaster_start_time() < now() - interval '5 seconds'
        AND (s.state = 'stopped' OR r.attempts > (s.definition->>'retries')::int)
    LIMIT 1 FOR UPDATE OF r SKIP LOCKED
    """
)

# For a trial that was ended outside of `finish`, by hand or by an earlier release: where the first objective was the
# best in the first repeat.
_BEST_EPOCH = sa.text(
    """
    SELECT c.epoch FROM fleet.curves c JOIN fleet.runs r ON r.id = c.run_id JOIN fleet.studies s ON s.id = r.study_id
    CROSS JOIN LATERAL (SELECT s.definition->'objectives'->0 AS first) objective
    WHERE r.id = :run AND c.repeat = 0 AND c.split || '_' || c.metric = first->>'metric'
    ORDER BY c.value * CASE first->>'direction' WHEN 'maximize' THEN -1 ELSE 1 END, c.epoch LIMIT 1
    """
)


def expire(db: Database, fail_trial: Callable[[int, str], object]) -> int:
    """End what nobody may take over any more, and return how many runs that were.

    These are runs whose leases ended once more than their study's `retries`, runs of stopped studies whose
    holder died, and waiting runs of studies that were stopped or reached a limit. A run whose trial had been told
    by then ends as it was told. `fail_trial(trial_id, reason)` ends the Optuna trials that ended runs have left
    behind. Any worker may call this at any time.
    """
    ended = 0
    while _end_a_lost_run(db):
        ended += 1
    ended += close_finished_studies(db)
    for trial_id, reason in _left_behind(db):
        fail_trial(trial_id, reason)
    return ended


def _end_a_lost_run(db: Database) -> bool:
    with db.transaction() as connection:
        row = connection.execute(_LOST).one_or_none()
        if row is None:
            return False
        match row.told:
            case "COMPLETE":
                best_epoch = connection.execute(_BEST_EPOCH, {"run": row.id}).scalar_one_or_none()
                end_run(connection, row.id, RunState.COMPLETE, None, best_epoch=best_epoch)
            case "PRUNED":
                end_run(connection, row.id, *_ending_of_pruned(db.optuna.get_trial(row.trial_id)))
            case _:
                end_run(connection, row.id, *_ending(row, history.attempts(connection, row.id)))
    return True


def _ending_of_pruned(trial: FrozenTrial) -> tuple[RunState, str | None]:
    """Pruned to Optuna is also what fitted into no memory."""
    if infeasible.was_told(trial):
        return RunState.FAILED, trial.system_attrs.get("fail_reason")
    return RunState.PRUNED, None


def _ending(row: sa.Row[Any], attempts: Sequence[Attempt]) -> tuple[RunState, str | None]:
    if row.state == "stopped":
        return RunState.CANCELLED, STUDY_STOPPED
    preempted = AttemptState.PREEMPTED
    holders = ", ".join(
        f"{one.worker} at {one.started_at:%Y-%m-%d %H:%M:%S}" for one in attempts if one.state != preempted
    )
    return RunState.FAILED, f"its worker was lost {row.attempts} times (retries used up): {holders}"


def _left_behind(db: Database) -> list[tuple[int, str]]:
    """Optuna trials that run for nobody: their run was cancelled while it waited, or its holder died before it
    noted the trial."""
    statement = sa.text(
        """
        SELECT t.trial_id, coalesce(r.reason, 'its run went on as another trial') FROM trials t
        JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'run'
        JOIN fleet.runs r ON r.id = a.value_json::bigint
        WHERE t.state = 'RUNNING' AND (r.state NOT IN ('waiting', 'running') OR r.trial_id <> t.trial_id)
        """
    )
    with db.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(statement)]
