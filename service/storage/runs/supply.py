"""Gives a search its rows: as many as are needed next, not all at once.

A study of a million trials would take a minute to write, and as long to cancel again. It has rows for at most
`WINDOW` waiting runs; the number of those `to_come` stands with the study. Rows are added in the order of the queue
after every `BATCH` claims, so that a long search never runs out of them.
"""

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.states import Stage

WINDOW = 2000  # waiting runs of a search that have rows
BATCH = 500  # rows that one statement adds: some 20 ms

_LOCK = sa.text("SELECT 1 FROM fleet.studies WHERE id = :study AND to_come > 0 FOR NO KEY UPDATE SKIP LOCKED")
_ADD = sa.text(
    """
    WITH study AS (
        SELECT id, (SELECT coalesce(max(ordinal), -1) FROM fleet.runs WHERE study_id = s.id) AS last, least(to_come,
            :window - (SELECT coalesce(sum(waiting), 0)
                FROM fleet.run_counts WHERE study_id = s.id AND stage = 'search')) AS more
        FROM fleet.studies s WHERE id = :study AND stage = 'search' AND closing IS NULL AND state <> 'stopped'),
    added AS (
        INSERT INTO fleet.runs (study_id, ordinal) SELECT id, last + n FROM study, generate_series(1, more) n)
    UPDATE fleet.studies s SET to_come = to_come - more FROM study WHERE s.id = study.id AND more > 0
    """
)
_EMPTY = sa.text(
    """
    SELECT id FROM fleet.studies WHERE to_come > 0 AND state = 'running'
        AND NOT EXISTS (SELECT FROM fleet.runs WHERE study_id = studies.id AND state = 'waiting')
    """
)


def fill(connection: sa.Connection, study_id: int) -> int:
    """Add rows for runs to come up to the window, and return whether there were any.

    The caller has locked the study's row, or has just created it.
    """
    return connection.execute(_ADD, {"study": study_id, "window": WINDOW}).rowcount


def after_claim(db: Database, lease: Lease) -> None:
    """Replace the rows that the last claims took, if it is time."""
    if lease.stage is Stage.SEARCH and lease.ordinal % BATCH == 0:
        _fill(db, lease.study_id)


def fill_empty(db: Database) -> bool:
    """Add rows to studies that have run out of them, and return whether there were any."""
    with db.engine.connect() as connection:
        empty = connection.execute(_EMPTY).scalars().all()
    return sum(_fill(db, study) for study in empty) > 0


def _fill(db: Database, study_id: int) -> bool:
    with db.engine.begin() as connection:
        # A statement of its own: the next one sees what an earlier holder of the lock has added.
        if connection.execute(_LOCK, {"study": study_id}).one_or_none() is None:
            return False
        return fill(connection, study_id) > 0
