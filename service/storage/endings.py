"""How runs end and, with the last of them, their study."""

import sqlalchemy as sa

from service.storage.database import Database
from service.storage.reasons import storable
from service.storage.records import RunState


def end_run(
    connection: sa.Connection, run_id: int, state: RunState, reason: str | None, best_epoch: int | None
) -> None:
    connection.execute(
        sa.text(
            """
            UPDATE fleet.runs SET state = :state, reason = :reason, best_epoch = :best_epoch,
                lease_until = NULL, finished_at = now() WHERE id = :run
            """
        ),
        {"run": run_id, "state": state, "reason": reason and storable(reason), "best_epoch": best_epoch},
    )


def close_finished_studies(db: Database, study_id: int | None = None) -> None:
    """Note the end of studies without open runs, after the commit that ended a run: the last of two that end
    at once sees both."""
    with db.engine.begin() as connection:
        connection.execute(
            sa.text(
                """
                UPDATE fleet.studies s SET finished_at = now()
                WHERE finished_at IS NULL AND s.id = coalesce(:study, s.id)
                    AND NOT EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state = 'waiting')
                    AND NOT EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state = 'running')
                """
            ),
            {"study": study_id},
        )
