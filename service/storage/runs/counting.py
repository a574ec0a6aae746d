"""How many runs a study has in each state, and their device time: sums that triggers keep, so that nobody counts runs.

A trigger appends a row of differences for every change of a run. The sum of a study's rows is exact in every snapshot,
and writers never wait for each other, as they would for a row that all of them change.
"""

import time

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import RunState, Stage

LONGEST = 50  # rows of a study that a reader may have to add up; more are folded
BATCH = 1000  # rows that one transaction folds

_COLUMNS = (*RunState, "spent_s", "booked")
_SUMS = ", ".join(f"sum({column})" for column in _COLUMNS)

# SQL for the columns "<stage>_<state>", "<stage>_spent_s" and "<stage>_booked" of a query on one study's rows.
BY_STAGE = ", ".join(
    f"coalesce(sum({column}) FILTER (WHERE stage = '{stage}'), 0) AS {stage}_{column}"
    for stage in Stage
    for column in _COLUMNS
)

_LONG = sa.text("SELECT study_id FROM fleet.run_counts GROUP BY study_id HAVING count(*) > :longest LIMIT 1")

# Of two that fold at once each adds up the rows that it was the first to lock.
_FOLD = sa.text(
    f"""
    WITH taken AS (
        DELETE FROM fleet.run_counts WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM fleet.run_counts WHERE study_id = :study LIMIT :batch FOR UPDATE SKIP LOCKED)) RETURNING *)
    INSERT INTO fleet.run_counts (study_id, stage, {", ".join(_COLUMNS)})
    SELECT study_id, stage, {_SUMS} FROM taken GROUP BY study_id, stage
    """
)


def fold(db: Database, seconds: float) -> bool:
    """Replace rows of studies that have many by their sums, for about so many seconds; return whether any are left.

    Anybody may call this at any time.
    """
    until = time.monotonic() + seconds
    while True:
        with db.engine.begin() as connection:
            study = connection.execute(_LONG, {"longest": LONGEST}).scalar_one_or_none()
            if study is None:
                return False
            connection.execute(_FOLD, {"study": study, "batch": BATCH})
        if time.monotonic() > until:
            return True
