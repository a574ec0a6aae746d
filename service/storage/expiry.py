"""What nobody will end any more is ended by whoever is alive."""

from collections.abc import Callable

import sqlalchemy as sa

from service.storage.database import Database
from service.storage.endings import close_finished_studies, end_run
from service.storage.records import RunState


def expire(db: Database, fail_trial: Callable[[int, str], object]) -> int:
    """End what nobody may take over any more, and return how many runs that were.

    These are runs whose leases ended once more than their study's `retries`, runs of stopped studies whose
    holder died, and waiting runs of studies whose wall time is used up. `fail_trial(trial_id, reason)` ends the
    Optuna trial, under the run's lock. Any worker may call this at any time.
    """
    lost = sa.text(
        """
        SELECT r.id, r.trial_id, r.attempts, s.state FROM fleet.runs r
        JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.state = 'running' AND r.lease_until < now()
            AND pg_postmaster_start_time() < now() - interval '5 seconds'
            AND (s.state = 'stopped' OR r.attempts > (s.definition->>'retries')::int)
        LIMIT 1 FOR UPDATE OF r SKIP LOCKED
        """
    )
    ended = 0
    while True:
        with db.engine.begin() as connection:
            row = connection.execute(lost).one_or_none()
            if row is None:
                break
            stopped = row.state == "stopped"
            reason = "study stopped" if stopped else f"its worker was lost {row.attempts} times (retries used up)"
            if row.trial_id is not None:
                fail_trial(row.trial_id, reason)
            end_run(connection, row.id, RunState.CANCELLED if stopped else RunState.FAILED, reason, None)
            ended += 1
    with db.engine.begin() as connection:
        ended += connection.execute(
            sa.text(
                """
                UPDATE fleet.runs r SET state = 'cancelled', finished_at = now(), reason = 'wall time used up'
                FROM fleet.studies s WHERE s.id = r.study_id AND r.state = 'waiting' AND s.finished_at IS NULL
                    AND now() >= s.started_at + make_interval(secs => (s.definition->'budget'->>'wall_time')::float)
                """
            )
        ).rowcount
    close_finished_studies(db)
    return ended
