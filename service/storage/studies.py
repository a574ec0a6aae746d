"""Studies: created whole or not at all, listed, paused, stopped, deleted."""

import contextlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import optuna
import sqlalchemy as sa
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection

from search_spaces import StudyDefinition, StudyShape
from service.storage import trials
from service.storage.database import Database
from service.storage.device_time import SPENT_S
from service.storage.endings import close_finished_studies
from service.storage.errors import IllegalTransition, StudyExists, UnknownStudy
from service.storage.records import RunState, Stage, StudyRecord, StudyState
from service.storage.tables import studies

Intention = Literal["running", "paused", "stopped"]


def create(db: Database, definition: StudyDefinition) -> StudyRecord:
    """Create the study, its Optuna study and its queue of `definition.trials` runs.

    Ours is one transaction that also covers Optuna's: whoever sees the study sees all of it. A crash in between
    leaves at most an empty Optuna study, which the next creation under its name takes over.

    Raises:
        StudyExists: the name is taken, here or by an Optuna study with trials that is not ours.
    """
    with db.engine.begin() as connection:
        # Two creations of one name wait for each other here, not in the middle of Optuna's.
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": definition.name}
        )
        if connection.execute(sa.select(studies.c.id).where(studies.c.name == definition.name)).first():
            raise StudyExists(definition.name)
        optuna_study_id = _create_in_optuna(db, definition)
        try:
            study_id = connection.execute(
                studies.insert()
                .values(
                    name=definition.name,
                    optuna_study_id=optuna_study_id,
                    definition=definition.model_dump(mode="json"),
                    priority=definition.priority,
                )
                .returning(studies.c.id)
            ).scalar_one()
            connection.execute(
                sa.text("INSERT INTO fleet.runs (study_id, ordinal) SELECT :study, generate_series(0, :last)"),
                {"study": study_id, "last": definition.trials - 1},
            )
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                db.optuna.delete_study(optuna_study_id)
            raise
    return get(db, definition.name)


def get(db: Database, name: str) -> StudyRecord:
    """Return the study of this name.

    Raises:
        UnknownStudy: there is none.
    """
    with db.engine.connect() as connection:
        row = connection.execute(studies.select().where(studies.c.name == name)).one_or_none()
    if row is None:
        raise UnknownStudy(name)
    return _record(db, row)


def definition_of(db: Database, study_id: int) -> tuple[StudyShape, int] | None:
    """Return the study's definition and the id of its Optuna study, or None if it was deleted."""
    columns = (studies.c.definition, studies.c.optuna_study_id)
    with db.engine.connect() as connection:
        row = connection.execute(sa.select(*columns).where(studies.c.id == study_id)).one_or_none()
    return None if row is None else (_definition(row.definition), row.optuna_study_id)


def count(db: Database) -> int:
    """Return how many studies there are."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(studies)).scalar_one()


def all(db: Database, limit: int = 100, offset: int = 0) -> list[StudyRecord]:  # noqa: A001
    """Return a page of studies, the newest first."""
    with db.engine.connect() as connection:
        rows = connection.execute(studies.select().order_by(studies.c.id.desc()).limit(limit).offset(offset)).all()
    return [_record(db, row) for row in rows]


def set_state(db: Database, name: str, state: Intention) -> StudyRecord:
    """Pause, resume or stop the study. Stopping is for good, and cancels what waits.

    Raises:
        UnknownStudy: there is none of this name.
        IllegalTransition: the study was stopped or is complete.
    """
    with db.engine.begin() as connection:
        row = connection.execute(studies.select().where(studies.c.name == name).with_for_update()).one_or_none()
        if row is None:
            raise UnknownStudy(name)
        if not row.state == state == "stopped":
            if row.state == "stopped" or row.finished_at is not None:
                raise IllegalTransition(name, _state(row), state)
            connection.execute(studies.update().where(studies.c.id == row.id).values(state=state))
    if state == "stopped":
        close_finished_studies(db, row.id)  # cancels what waits
    return get(db, name)


def set_priority(db: Database, name: str, priority: int) -> StudyRecord:
    """Serve the study before those of a lower priority from the next claim on; what is running goes on.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        changed = connection.execute(studies.update().where(studies.c.name == name).values(priority=priority))
    if changed.rowcount == 0:
        raise UnknownStudy(name)
    return get(db, name)


def delete(db: Database, name: str) -> None:
    """Delete the study with its runs, curves and Optuna trials; workers on it notice and go on with others.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        optuna_study_id = connection.execute(
            studies.delete().where(studies.c.name == name).returning(studies.c.optuna_study_id)
        ).scalar_one_or_none()
        if optuna_study_id is None:
            raise UnknownStudy(name)
        _delete_trials(connection, optuna_study_id)
    with contextlib.suppress(KeyError):  # deleted by hand in the dashboard
        db.optuna.delete_study(optuna_study_id)  # what is left of it, and its cache


def _delete_trials(connection: sa.Connection, optuna_study_id: int) -> None:
    """Delete an Optuna study's trials, and first lock out workers that are adding to them.

    Optuna's own deletion loads every object, most of a minute for 10,000 trials, and gives up without a word
    when a worker adds a parameter meanwhile.
    """
    study = {"study": optuna_study_id}
    connection.execute(sa.text("SELECT FROM studies WHERE study_id = :study FOR UPDATE"), study)
    connection.execute(sa.text("SELECT FROM trials WHERE study_id = :study FOR UPDATE"), study)
    for part in ("values", "params", "user_attributes", "system_attributes", "intermediate_values", "heartbeats"):
        of_study = "(SELECT trial_id FROM trials WHERE study_id = :study)"
        connection.execute(sa.text(f"DELETE FROM trial_{part} WHERE trial_id IN {of_study}"), study)
    connection.execute(sa.text("DELETE FROM trials WHERE study_id = :study"), study)


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
    _link_to_report(db, definition.name)
    return study_id


def _link_to_report(db: Database, name: str) -> None:
    from optuna_dashboard import save_note  # brings a web server along: not for every worker's start

    save_note(optuna.load_study(study_name=name, storage=db.optuna), f"[Report of this study](/studies/{name})")


def _state(row: sa.Row[tuple[object, ...]]) -> StudyState:
    if row.finished_at is not None and row.state != "stopped":
        return StudyState.COMPLETE
    return StudyState(row.state)


def _definition(stored: Mapping[str, Any]) -> StudyShape:
    return _parsed(json.dumps(stored))


@lru_cache(maxsize=256)
def _parsed(text: str) -> StudyShape:
    """Definitions are read far more often than written. Today's rules are no reason not to read one."""
    return StudyShape.model_validate(json.loads(text))


_BY_STATE = sa.text(
    f"""
    SELECT stage, state, count(*) AS runs, sum({SPENT_S}) AS spent_s FROM fleet.runs WHERE study_id = :study
    GROUP BY stage, state
    """
)


def _record(db: Database, row: sa.Row[tuple[object, ...]]) -> StudyRecord:
    definition = _definition(row.definition)
    with db.engine.connect() as connection:
        by_state = connection.execute(_BY_STATE, {"study": row.id}).all()
    counts = {stage.value: {state.value: 0 for state in RunState} for stage in Stage}
    for stage, state, count, _ in by_state:
        counts[stage][state] = count
    confirmation = counts[Stage.CONFIRMATION]
    is_confirmed = any(confirmation.values()) and _state(row) is StudyState.COMPLETE
    return StudyRecord(
        id=row.id,
        name=row.name,
        definition=definition,
        state=_state(row),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=counts[Stage.SEARCH],
        best=trials.best_of(db, row.id, definition),
        optuna_study_id=row.optuna_study_id,
        priority=row.priority,
        device_time_s=sum(spent_s for stage, *_, spent_s in by_state if stage == Stage.SEARCH),
        confirmation=confirmation,
        winner=trials.best_of(db, row.id, definition, Stage.CONFIRMATION) if is_confirmed else None,
    )
