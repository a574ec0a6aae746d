"""Trials as people read them: our run joined with Optuna's record of parameters and values."""

from collections.abc import Mapping

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from search_spaces import StudyDefinition, recorded_params, variant_of
from service.storage.database import Database
from service.storage.errors import UnknownTrial
from service.storage.records import RunState, StudyRecord, TrialRecord
from service.storage.tables import runs, workers

_COLUMNS = sa.select(runs, workers.c.host, workers.c.pid).outerjoin(workers, workers.c.id == runs.c.worker_id)


def page(
    db: Database, study: StudyRecord, state: RunState | None = None, limit: int = 100, offset: int = 0
) -> list[TrialRecord]:
    """Return a page of the study's runs in the order of its queue, those of one state if given."""
    query = _COLUMNS.where(runs.c.study_id == study.id).order_by(runs.c.ordinal).limit(limit).offset(offset)
    if state is not None:
        query = query.where(runs.c.state == state)
    with db.engine.connect() as connection:
        rows = connection.execute(query).all()
    if all(row.trial_id is None for row in rows):
        return [_record(row, None, study.definition) for row in rows]
    frozen = {t._trial_id: t for t in db.optuna.get_all_trials(study.optuna_study_id, deepcopy=False)}
    return [_record(row, frozen.get(row.trial_id), study.definition) for row in rows]


def get(db: Database, study: StudyRecord, number: int) -> TrialRecord:
    """Return the run that became trial `number`.

    Raises:
        UnknownTrial: no run did.
    """
    condition = sa.and_(runs.c.study_id == study.id, runs.c.trial_number == number)
    record = _one(db, condition, study.optuna_study_id, study.definition)
    if record is None:
        raise UnknownTrial(study.name, number)
    return record


def best(db: Database, study: StudyRecord) -> TrialRecord | None:
    """Return the complete trial with the best value of the first objective, if any trial is complete."""
    return best_of(db, study.optuna_study_id, study.definition)


def best_of(db: Database, optuna_study_id: int, definition: StudyDefinition) -> TrialRecord | None:
    """As `best`, before a StudyRecord is at hand."""
    order = sa.text("v.value DESC" if definition.objectives[0].direction == "maximize" else "v.value")
    query = sa.text(
        f"""
        SELECT t.trial_id FROM trials t JOIN trial_values v USING (trial_id)
        WHERE t.study_id = :study AND t.state = 'COMPLETE' AND v.objective = 0 ORDER BY {order}, t.number LIMIT 1
        """
    )
    with db.engine.connect() as connection:
        trial_id = connection.execute(query, {"study": optuna_study_id}).scalar_one_or_none()
    return None if trial_id is None else _one(db, runs.c.trial_id == trial_id, optuna_study_id, definition)


def _one(
    db: Database, condition: sa.ColumnElement[bool], optuna_study_id: int, definition: StudyDefinition
) -> TrialRecord | None:
    with db.engine.connect() as connection:
        row = connection.execute(_COLUMNS.where(condition)).one_or_none()
    return None if row is None else _record(row, db.optuna.get_trial(row.trial_id), definition)


def _record(row: sa.Row[tuple[object, ...]], trial: FrozenTrial | None, definition: StudyDefinition) -> TrialRecord:
    params: Mapping[str, object] = {} if trial is None else recorded_params(definition, trial.params)
    duration = None
    if row.started_at is not None and row.finished_at is not None:
        duration = (row.finished_at - row.started_at).total_seconds()
    return TrialRecord(
        run_id=row.id,
        number=row.trial_number,
        state=RunState(row.state),
        params=params,
        variant=variant_of(params) if params else "",
        values=None if trial is None or trial.values is None else list(trial.values),
        best_epoch=row.best_epoch,
        epoch=row.epoch,
        attempts=row.attempts,
        reason=row.reason,
        worker=None if row.host is None else f"{row.host}:{row.pid}",
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_s=duration,
        facts=row.facts,
    )
