"""Trials as people read them: the runs of a study with what they were trained with and came to."""

from typing import Any

import sqlalchemy as sa

from search_spaces import StudyDefinition, recorded_params, variant_of
from service.storage.database import Database
from service.storage.errors import UnknownTrial
from service.storage.records import RunState, Stage, StudyRecord, TrialRecord
from service.storage.tables import runs, workers

_COLUMNS = sa.select(runs, workers.c.host, workers.c.pid).outerjoin(workers, workers.c.id == runs.c.worker_id)


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
    query = _COLUMNS.where(runs.c.study_id == study.id).order_by(runs.c.ordinal).limit(limit).offset(offset)
    if state is not None:
        query = query.where(runs.c.state == state)
    if stage is not None:
        query = query.where(runs.c.stage == stage)
    with db.engine.connect() as connection:
        return [_record(row, study.definition) for row in connection.execute(query)]


def get(db: Database, study: StudyRecord, number: int) -> TrialRecord:
    """Return the run that became trial `number`.

    Raises:
        UnknownTrial: no run did.
    """
    query = _COLUMNS.where(runs.c.study_id == study.id, runs.c.trial_number == number)
    record = _first(db, query, study.definition)
    if record is None:
        raise UnknownTrial(study.name, number)
    return record


def best_of(
    db: Database, study_id: int, definition: StudyDefinition, stage: Stage = Stage.SEARCH
) -> TrialRecord | None:
    """Return the stage's complete run with the best value of the first objective, if any run is complete."""
    value = runs.c["values"][1]
    query = _COLUMNS.where(
        runs.c.study_id == study_id, runs.c.stage == stage, runs.c.state == RunState.COMPLETE, value.is_not(None)
    )
    best_first = value.desc() if definition.objectives[0].direction == "maximize" else value
    return _first(db, query.order_by(best_first, runs.c.trial_number, runs.c.ordinal), definition)


def _first(db: Database, query: sa.Select[Any], definition: StudyDefinition) -> TrialRecord | None:
    with db.engine.connect() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _record(row, definition)


def _record(row: sa.Row[Any], definition: StudyDefinition) -> TrialRecord:
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
    )
