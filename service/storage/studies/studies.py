"""Studies: created as a whole or not at all, listed, paused, stopped, deleted."""

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
from service.storage.database.database import Database
from service.storage.database.tables import studies
from service.storage.errors import IllegalTransition, StudyExists, UnknownStudy
from service.storage.optuna.statements import delete_trials
from service.storage.records import StudyRecord, TrialRecord
from service.storage.runs.endings import close_finished_studies
from service.storage.runs.expressions import SIGN, SPENT_S
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import trials

Intention = Literal["running", "paused", "stopped"]


def create(db: Database, definition: StudyDefinition) -> StudyRecord:
    """Create the study, its Optuna study and its queue of `definition.trials` runs.

    Our transaction encloses Optuna's: a study is visible only as a whole. A crash in between leaves at most an empty
    Optuna study, which the next study of its name replaces.

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
            with contextlib.suppress(Exception):  # the first error is the one to report
                db.optuna.delete_study(optuna_study_id)
            raise
    return get(db, definition.name)


def get(db: Database, name: str) -> StudyRecord:
    """Return the study of this name.

    Raises:
        UnknownStudy: there is none.
    """
    found = _records(db, "WHERE name = :name", name=name)
    if not found:
        raise UnknownStudy(name)
    return found[0]


def definition_of(db: Database, study_id: int) -> tuple[StudyShape, int] | None:
    """Return the study's definition and the id of its Optuna study, or None if it was deleted."""
    columns = (studies.c.definition.cast(sa.Text).label("definition"), studies.c.optuna_study_id)
    with db.engine.connect() as connection:
        row = connection.execute(sa.select(*columns).where(studies.c.id == study_id)).one_or_none()
    return None if row is None else (_parsed(row.definition), row.optuna_study_id)


def count(db: Database) -> int:
    """Return the number of studies."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(studies)).scalar_one()


def page(db: Database, limit: int = 100, offset: int = 0) -> list[StudyRecord]:
    """Return a page of studies, the newest first, in two statements whatever its length."""
    return _records(db, "ORDER BY id DESC LIMIT :limit OFFSET :offset", limit=limit, offset=offset)


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
    """Serve the study before those of a lower priority from the next claim on; running runs continue.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        changed = connection.execute(studies.update().where(studies.c.name == name).values(priority=priority))
    if changed.rowcount == 0:
        raise UnknownStudy(name)
    return get(db, name)


def delete(db: Database, name: str) -> None:
    """Delete the study with its runs, curves and Optuna trials; its workers notice and take other runs.

    Raises:
        UnknownStudy: there is none of this name.
    """
    with db.engine.begin() as connection:
        optuna_study_id = connection.execute(
            studies.delete().where(studies.c.name == name).returning(studies.c.optuna_study_id)
        ).scalar_one_or_none()
        if optuna_study_id is None:
            raise UnknownStudy(name)
        delete_trials(connection, optuna_study_id)
    with contextlib.suppress(KeyError):  # somebody deleted it in Optuna's dashboard
        db.optuna.delete_study(optuna_study_id)  # the rest of it, and its cache


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
    from optuna_dashboard import save_note  # imports a web server, which would slow every worker's start

    save_note(optuna.load_study(study_name=name, storage=db.optuna), f"[Report of this study](/studies/{name})")


def _state(row: sa.Row[tuple[object, ...]]) -> StudyState:
    if row.finished_at is not None and row.state != "stopped":
        return StudyState.COMPLETE
    return StudyState(row.state)


@lru_cache(maxsize=1024)  # more than the longest page
def _parsed(text: str) -> StudyShape:
    """Return the definition, cached since it is read far more often than written, and without today's rules."""
    return StudyShape.model_validate(json.loads(text))


# The number, the device time and the best of every study's runs, by stage and state. Arrays are compared element by
# element: the lowest cost comes first, then the earlier run; the id is the last element.
_WITH_RUNS = """
    WITH page AS MATERIALIZED (
        SELECT *, {sign} AS sign FROM fleet.studies {which})
    SELECT id, name, optuna_study_id, cast(definition AS text) AS definition, state, priority, created_at, started_at,
        finished_at, by_state
    FROM page CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(stage, state, runs, spent_s, best[4])) AS by_state FROM (
            SELECT stage, state, count(*) AS runs, sum({spent_s}) AS spent_s, min(
                ARRAY[values[1] * page.sign, trial_number, ordinal, id]) FILTER (WHERE values[1] IS NOT NULL) AS best
            FROM fleet.runs WHERE study_id = page.id GROUP BY stage, state) grouped) summed
    ORDER BY id DESC
"""
_NO_RUNS = {state.value: 0 for state in RunState}


def _records(db: Database, which: str, **values: object) -> list[StudyRecord]:
    """The studies that the clauses `which` select: one statement for them, one for their best runs."""
    statement = sa.text(_WITH_RUNS.format(which=which, spent_s=SPENT_S, sign=SIGN.format("definition")))
    with db.engine.connect() as connection:
        rows = [_Row(row) for row in connection.execute(statement, values).all()]
        named = {run_id: row.definition for row in rows for run_id in (row.best, row.winner) if run_id is not None}
        runs = trials.by_id(connection, named)
    return [row.record(runs) for row in rows]


class _Row:
    """A row of `_WITH_RUNS`, which names the runs that belong to the study's record."""

    def __init__(self, row: sa.Row[Any]) -> None:
        self._row = row
        self._counts = {stage.value: dict(_NO_RUNS) for stage in Stage}
        self._spent_s = 0.0
        best: dict[str, int | None] = {}
        for stage, state, runs, spent_s, best_run in row.by_state or ():  # NULL for a study without runs
            self._counts[stage][state] = runs
            if stage == Stage.SEARCH:
                self._spent_s += spent_s
            if state == RunState.COMPLETE:
                best[stage] = best_run
        self.definition = _parsed(row.definition)
        self._state = _state(row)
        self.best = best.get(Stage.SEARCH)
        self.winner = best.get(Stage.CONFIRMATION) if self._state is StudyState.COMPLETE else None

    def record(self, runs: Mapping[int, TrialRecord]) -> StudyRecord:
        """The study's record, with its best runs from `runs`; a run that has just been deleted is missing there."""
        return StudyRecord(
            id=self._row.id,
            name=self._row.name,
            definition=self.definition,
            state=self._state,
            created_at=self._row.created_at,
            started_at=self._row.started_at,
            finished_at=self._row.finished_at,
            counts=self._counts[Stage.SEARCH],
            best=None if self.best is None else runs.get(self.best),
            optuna_study_id=self._row.optuna_study_id,
            priority=self._row.priority,
            device_time_s=self._spent_s,
            confirmation=self._counts[Stage.CONFIRMATION],
            winner=None if self.winner is None else runs.get(self.winner),
        )
