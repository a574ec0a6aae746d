"""Removes what deleted studies leave behind, in batches: runs with their curves and history, then Optuna's trials.

Deleting a study takes its row away, so that nobody sees it any more, claims its runs or finds its name taken. What a
million runs leave is removed afterwards by whoever has time.
"""

import contextlib
import time

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.optuna import statements

BATCH = 100  # runs, or trials, that one transaction removes

_DELETE = sa.text("DELETE FROM fleet.studies WHERE name = :name RETURNING id, optuna_study_id")
_NOTE = sa.text("INSERT INTO fleet.deleted_studies (study_id, optuna_study_id) VALUES (:id, :optuna_study_id)")
_RUNNING = sa.text("DELETE FROM fleet.runs WHERE study_id = :study AND state = 'running'")

_ANY = sa.text("SELECT EXISTS (SELECT FROM fleet.deleted_studies)")
_NEXT = sa.text(
    """
    SELECT study_id, optuna_study_id FROM fleet.deleted_studies ORDER BY study_id LIMIT 1 FOR UPDATE SKIP LOCKED
    """
)
_RUNS = sa.text(
    """
    DELETE FROM fleet.runs WHERE id = ANY (ARRAY(
        SELECT id FROM fleet.runs WHERE study_id = :study ORDER BY ordinal LIMIT :batch FOR UPDATE))
    """
)
_COUNTS = sa.text("DELETE FROM fleet.run_counts WHERE study_id = :study")
_HISTORY = sa.text("DELETE FROM fleet.histories WHERE study_id = :study")
_FORGET = sa.text("DELETE FROM fleet.deleted_studies WHERE study_id = :study")


def delete(connection: sa.Connection, name: str) -> bool:
    """Delete the study, all but what `remove` takes away afterwards; return whether there was one of this name.

    Its holders lose their leases at once, and Optuna's study gives its name up.
    """
    row = connection.execute(_DELETE, {"name": name}).one_or_none()
    if row is None:
        return False
    connection.execute(_NOTE, dict(row._mapping))
    connection.execute(_RUNNING, {"study": row.id})
    statements.rename_study(connection, row.optuna_study_id, f"{name} (deleted, {row.id})")
    return True


def remove(db: Database, seconds: float) -> bool:
    """Remove what deleted studies have left, for about so many seconds; return whether something may be left still.

    Anybody may call this at any time; of several callers each has a study of its own.
    """
    until = time.monotonic() + seconds
    with db.engine.connect() as connection:
        if not connection.execute(_ANY).scalar_one():
            return False
    while True:
        with db.transaction() as connection:
            row = connection.execute(_NEXT).one_or_none()
            if row is None:
                return False
            _remove_a_part(db, connection, row.study_id, row.optuna_study_id)
        if time.monotonic() > until:
            return True


def _remove_a_part(db: Database, connection: sa.Connection, study_id: int, optuna_study_id: int) -> None:
    part = {"study": study_id, "batch": BATCH}
    if connection.execute(_RUNS, part).rowcount == BATCH:
        return
    if statements.delete_trials(connection, optuna_study_id, BATCH) == BATCH:
        return
    connection.execute(_COUNTS, {"study": study_id})
    connection.execute(_HISTORY, {"study": study_id})
    connection.execute(_FORGET, {"study": study_id})
    with contextlib.suppress(KeyError):  # somebody deleted it in Optuna's dashboard
        db.optuna.delete_study(optuna_study_id)  # the rest of it, and its cache
