"""Studies: created as a whole or not at all, listed, paused, stopped, deleted."""

import contextlib
from typing import Any, Literal

import optuna
import sqlalchemy as sa
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection

from search_spaces import StudyDefinition, given_by
from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.database.tables import studies
from service.storage.errors import IllegalTransition, NotResumable, StudyExists, UnknownStudy
from service.storage.optuna.naming import describe
from service.storage.records import StudyRecord
from service.storage.runs import clock, known, limits, removal, supply
from service.storage.runs.endings import close, close_finished_studies
from service.storage.runs.expiry import fail_left_behind
from service.storage.states import STUDY_STOPPED
from service.storage.studies import earlier, reading

REMOVE_S = 2.0  # s for which a caller who deletes a study removes what it leaves

Intention = Literal["running", "paused", "stopped"]


def create(db: Database, definition: StudyDefinition) -> StudyRecord:
    """Create the study, its Optuna study and its queue of `definition.trials` runs, the first of them with rows.

    Our transaction encloses Optuna's: a study is visible only as a whole. A crash in between leaves at most an empty
    Optuna study, which the next study of its name replaces.

    Raises:
        StudyExists: the name is taken, here or by an Optuna study with trials that is not ours.
        InvalidDefinition: `definition.start_from` is no study whose trials it could take.
    """
    with db.engine.begin() as connection:
        # Two creations of one name wait for each other here, not in the middle of Optuna's.
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": definition.name}
        )
        if connection.execute(sa.select(studies.c.id).where(studies.c.name == definition.name)).first():
            raise StudyExists(definition.name)
        history = earlier.earlier_trials(connection, definition)
        optuna_study_id = _create_in_optuna(db, definition)
        try:
            study_id = connection.execute(
                studies.insert()
                .values(
                    name=definition.name,
                    optuna_study_id=optuna_study_id,
                    definition=definition.model_dump(mode="json"),
                    priority=definition.priority,
                    to_come=definition.trials,
                    external=definition.task.is_external,
                    by_legs=definition.is_by_legs,
                )
                .returning(studies.c.id)
            ).scalar_one()
            supply.fill(connection, study_id)
            known.begin_with(connection, study_id, [given_by(definition, each) for each in definition.start_with])
            earlier.keep(connection, study_id, history)
            ordered.note(connection, definition.name)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to report
                db.optuna.delete_study(optuna_study_id)
            raise
    return get(db, definition.name)


def get(db: Database, name: str) -> StudyRecord:
    """Return the study of this name.

    Raises:
        UnknownStudy: there is none.
    """
    found = reading.records(db, "WHERE name = :name", name=name)
    if not found:
        raise UnknownStudy(name)
    return found[0]


def count(db: Database) -> int:
    """Return the number of studies."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(studies)).scalar_one()


def page(db: Database, limit: int = 100, offset: int = 0) -> list[StudyRecord]:
    """Return a page of studies, the newest first, in two statements whatever its length."""
    return reading.records(db, "ORDER BY id DESC LIMIT :limit OFFSET :offset", limit=limit, offset=offset)


def set_state(db: Database, name: str, state: Intention) -> StudyRecord:
    """Pause, resume or stop the study. Stopping is for good, and cancels what waits: its record says so at once, and
    what is not cancelled within seconds is cancelled afterwards. The time in a pause does not count as wall time.

    Raises:
        UnknownStudy: there is none of this name.
        IllegalTransition: the study was stopped or has ended.
        NotResumable: it is paused and has reached a limit, so that nothing would begin.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        if row.state != state or (row.finished_at is not None and state != "stopped"):
            if row.state == "stopped":
                raise IllegalTransition(name, row.state, state, can_grow=False)
            if row.finished_at is not None:
                because = "" if row.closing is None else f" ({row.closing})"
                raise IllegalTransition(name, f"at its end{because}", state, can_grow=row.closing is None)
            if row.state == "paused" and state == "running":
                _check_that_something_begins(connection, row)
            connection.execute(_SET_STATE, {"study": row.id, "state": state})
            if state == "stopped":
                close(connection, row.id, STUDY_STOPPED)
            ordered.note(connection, name)
    if state == "stopped":
        close_finished_studies(db, row.id)  # cancels what waits
        fail_left_behind(db, row.optuna_study_id)
    return get(db, name)


def _locked(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = connection.execute(studies.select().where(studies.c.name == name).with_for_update()).one_or_none()
    if row is None:
        raise UnknownStudy(name)
    return row


_GOES_ON, _NOW = clock.GOES_ON.format("studies"), clock.NOW.format("studies")

# A study that is paused stands at that moment; one that goes on, or ends, has not aged meanwhile.
_SET_STATE = sa.text(
    f"""
    UPDATE fleet.studies SET state = :state,
        started_at = CASE WHEN state = 'paused' AND :state <> 'paused' THEN {_GOES_ON} ELSE started_at END,
        paused_at = CASE WHEN :state = 'paused' THEN coalesce(paused_at, {_NOW}) END,
        pause_reason = CASE WHEN :state = 'paused' THEN pause_reason END
    WHERE id = :study
    """
)


def _check_that_something_begins(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Refuse to resume a search at its limit, unless a confirmation may follow."""
    reason = limits.reached(connection, row.id)
    if reason is not None and row.definition.get("confirmation") is None:
        raise NotResumable(row.name, f"{reason}; submit it under another name with a larger budget")


def amend(db: Database, name: str, **columns: int | str | list[str]) -> StudyRecord:
    """Change what may be changed of a study at any time: its priority, from the next claim on, its tags (sorted) and
    its note. Where all of it is so already, nothing changes.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        changes = {column: value for column, value in columns.items() if row._mapping[column] != value}
        if changes:
            connection.execute(studies.update().where(studies.c.id == row.id).values(**changes))
            ordered.note(connection, name)
    return get(db, name)


def delete(db: Database, name: str) -> None:
    """Delete the study with its runs, curves and Optuna trials; its workers notice and take other runs.

    It is gone at once, and its name is free. What of a large study is not removed within seconds is removed afterwards.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        if not removal.delete(connection, name):
            raise UnknownStudy(name)
        ordered.note(connection, name)
    removal.remove(db, REMOVE_S)


def _create_in_optuna(db: Database, definition: StudyDefinition) -> int:
    directions = [StudyDirection[objective.direction.upper()] for objective in definition.objectives]
    try:
        study_id = db.optuna.create_new_study(directions, definition.name)
    except DuplicatedStudyError:
        study_id = db.optuna.get_study_id_from_name(definition.name)
        if db.optuna.get_n_trials(study_id) > 0:
            raise StudyExists(definition.name) from None
        db.optuna.delete_study(study_id)
        study_id = db.optuna.create_new_study(directions, definition.name)
    study = optuna.load_study(study_name=definition.name, storage=db.optuna)
    describe(study, [objective.metric for objective in definition.objectives])
    return study_id
