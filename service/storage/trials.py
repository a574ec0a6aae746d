"""Trials as people read them: the runs of a study with what they were trained with and came to."""

from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from service.storage.database import Database
from service.storage.errors import UnknownTrial
from service.storage.records import RunState, Stage, StudyRecord, TrialRecord
from service.storage.tables import runs, workers


def page(
    db: Database,
    study: StudyRecord,
    state: RunState | None = None,
    limit: int = 100,
    offset: int = 0,
    *,
    stage: Stage | None = None,
) -> list[TrialRecord]:
    """Return a page of the study's runs in the order of its queue, those of one state or stage if given."""
    query = _runs_of(study.id).order_by(runs.c.ordinal).limit(limit).offset(offset)
    if state is not None:
        query = query.where(runs.c.state == state)
    if stage is not None:
        query = query.where(runs.c.stage == stage)
    with db.engine.connect() as connection:
        return [_record(row, study.definition) for row in connection.execute(query)]


def get(db: Database, study: StudyRecord, number: int, stage: Stage = Stage.SEARCH) -> TrialRecord:
    """Return the run that became trial `number`, or the one at that place in the confirmation.

    Raises:
        UnknownTrial: there is none.
    """
    query = _runs_of(study.id)
    numbered = runs.c.trial_number if stage is Stage.SEARCH else query.selected_columns.place
    record = _first(db, query.where(numbered == number), study.definition)
    if record is None:
        raise UnknownTrial(study.name, stage.called(number))
    return record


def best_of(db: Database, study_id: int, definition: StudyShape, stage: Stage = Stage.SEARCH) -> TrialRecord | None:
    """Return the stage's complete run with the best value of the first objective, if any run is complete."""
    value = runs.c["values"][1]
    query = _runs_of(study_id).where(runs.c.stage == stage, runs.c.state == RunState.COMPLETE, value.is_not(None))
    best_first = value.desc() if definition.objectives[0].direction == "maximize" else value
    return _first(db, query.order_by(best_first, runs.c.trial_number, runs.c.ordinal), definition)


def _runs_of(study_id: int) -> sa.Select[Any]:
    """The study's runs with who held them and, of those that confirm, their places."""
    place = sa.func.row_number().over(order_by=runs.c.ordinal) - 1
    confirms = (runs.c.study_id == study_id, runs.c.stage == Stage.CONFIRMATION)
    confirming = sa.select(runs.c.id, place.label("place")).where(*confirms).subquery()
    columns = sa.select(runs, workers.c.host, workers.c.pid, confirming.c.place)
    joined = columns.outerjoin(workers, workers.c.id == runs.c.worker_id)
    return joined.outerjoin(confirming, confirming.c.id == runs.c.id).where(runs.c.study_id == study_id)


def _first(db: Database, query: sa.Select[Any], definition: StudyShape) -> TrialRecord | None:
    with db.engine.connect() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _record(row, definition)


def _record(row: sa.Row[Any], definition: StudyShape) -> TrialRecord:
    params = {} if row.params is None else recorded_params(definition, row.params)
    duration = None
    if row.started_at is not None and row.finished_at is not None:
        duration = (row.finished_at - row.started_at).total_seconds()
    return TrialRecord(
        run_id=row.id,
        number=row.trial_number,
        state=RunState(row.state),
        params=params,
        variant=variant_of(params) if params else "",
        values=row._mapping["values"],
        best_epoch=row.best_epoch,
        epoch=row.epoch,
        attempts=row.attempts,
        reason=row.reason,
        worker=None if row.host is None else f"{row.host}:{row.pid}",
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_s=duration,
        facts=row.facts,
        stage=Stage(row.stage),
        place=row.place,
    )
