"""Trials for people: the runs of a study with their parameters and results."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from sys import intern
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from search_spaces.known import outside_of
from search_spaces.variants import telling_in
from service.storage.database.database import Database
from service.storage.database.tables import runs, workers
from service.storage.errors import UnknownTrial
from service.storage.records import StudyRecord, TrialRecord
from service.storage.runs.expressions import SPENT_S
from service.storage.states import BEGUN_STATES, Origin, RunState, Stage

PIECE = 5_000  # rows that are fetched at once where all are read

_BY_ID = sa.text(
    f"""
    SELECT r.*, {SPENT_S} AS spent, w.host, w.pid, CASE r.stage WHEN 'confirmation' THEN (
        SELECT count(*) FROM fleet.runs earlier
        WHERE earlier.study_id = r.study_id AND earlier.stage = r.stage AND earlier.ordinal < r.ordinal) END AS place
    FROM fleet.runs r LEFT JOIN fleet.workers w ON w.id = r.worker_id WHERE r.id = ANY(:runs)
    """
)


def page(
    db: Database,
    study: StudyRecord,
    state: RunState | None = None,
    limit: int = 100,
    offset: int = 0,
    *,
    stage: Stage | None = None,
) -> list[TrialRecord]:
    """Return a page of the study's runs in the order of its queue, or only those of one state or stage.

    Runs of the search that have no rows stand behind the others, with the `run_id` 0.
    """
    query = _runs_of(study.id).order_by(runs.c.ordinal).limit(limit)
    is_whole = state is None and stage is None  # the whole queue has no gaps
    query = query.where(runs.c.ordinal >= offset) if is_whole else query.offset(offset)
    if state is not None:
        query = query.where(runs.c.state.in_(stored_as(study, state)))
    if stage is not None:
        query = query.where(runs.c.stage == stage)
    rows = _all(db, query, study)
    return rows if stage is Stage.CONFIRMATION else [*rows, *_without_rows(study, state, limit, offset)]


def begun(db: Database, study: StudyRecord, every: int = 1, best: int = 0) -> list[TrialRecord]:
    """Return every run of the search that was begun and not cancelled, by trial number, and those without one last.

    Or every `every`-th of the queue, and the `best` best ones by the first objective.
    """
    wanted = (runs.c.stage == Stage.SEARCH, runs.c.state.in_(BEGUN_STATES))
    query = _runs_of(study.id).where(*wanted).order_by(runs.c.trial_number.nulls_last(), runs.c.ordinal)
    if every > 1:
        value = runs.c["values"][1]
        cost = -value if study.definition.objectives[0].maximizes else value
        ended = (runs.c.study_id == study.id, runs.c.stage == Stage.SEARCH, runs.c.state == RunState.COMPLETE)
        first = sa.select(runs.c.id).where(*ended).order_by(cost).limit(best)
        query = query.where(sa.or_(runs.c.ordinal % every == 0, runs.c.id.in_(first)))
    shared: dict[str, Mapping[str, Any]] = {}
    with db.engine.connect() as connection:
        rows = connection.execute(query, execution_options={"yield_per": PIECE})
        return [_shown(study, _record(row, study.definition, shared)) for row in rows]


def confirming(db: Database, study: StudyRecord) -> list[TrialRecord]:
    """Return every run of the study's confirmation, by place."""
    query = _runs_of(study.id).where(runs.c.stage == Stage.CONFIRMATION).order_by(runs.c.ordinal)
    return _all(db, query, study)


def get(db: Database, study: StudyRecord, number: int, stage: Stage = Stage.SEARCH) -> TrialRecord:
    """Return the run that became trial `number`, or the one at that place in the confirmation.

    Raises:
        UnknownTrial: there is none.
    """
    query = _runs_of(study.id)
    numbered = runs.c.trial_number if stage is Stage.SEARCH else query.selected_columns.place
    with db.engine.connect() as connection:
        row = connection.execute(query.where(numbered == number).limit(1)).one_or_none()
    if row is None:
        raise UnknownTrial(study.name, stage.called(number))
    return _shown(study, _record(row, study.definition))


def of_ids(db: Database, study: StudyRecord, ids: Sequence[int]) -> list[TrialRecord]:
    """Return these runs of the study in this order; one that has just been deleted is left out."""
    with db.engine.connect() as connection:
        found = by_id(connection, dict.fromkeys(ids, study.definition))
    return [_shown(study, found[one]) for one in ids if one in found]


def by_id(connection: sa.Connection, definitions: Mapping[int, StudyShape]) -> dict[int, TrialRecord]:
    """Return runs of any studies by their ids, in one statement; `definitions` are those of their studies."""
    rows = connection.execute(_BY_ID, {"runs": list(definitions)}).all()
    return {row.id: _record(row, definitions[row.id]) for row in rows}


def _runs_of(study_id: int) -> sa.Select[Any]:
    """The study's runs with their holders and, for those that confirm, their places."""
    place = sa.func.row_number().over(order_by=runs.c.ordinal) - 1
    confirms = (runs.c.study_id == study_id, runs.c.stage == Stage.CONFIRMATION)
    placed = sa.select(runs.c.id, place.label("place")).where(*confirms).subquery()
    columns = sa.select(
        runs, sa.literal_column(SPENT_S, sa.Double).label("spent"), workers.c.host, workers.c.pid, placed.c.place
    )
    joined = columns.outerjoin(workers, workers.c.id == runs.c.worker_id)
    return joined.outerjoin(placed, placed.c.id == runs.c.id).where(runs.c.study_id == study_id)


def _all(db: Database, query: sa.Select[Any], study: StudyRecord) -> list[TrialRecord]:
    with db.engine.connect() as connection:
        return [_shown(study, _record(row, study.definition)) for row in connection.execute(query).all()]


def stored_as(study: StudyRecord, state: RunState) -> Collection[RunState]:
    """The states in which rows have runs that are shown in this one: what is to be cancelled is shown as cancelled."""
    if not study.cancels:
        return [state]
    return {RunState.CANCELLED: [RunState.CANCELLED, RunState.WAITING], RunState.WAITING: []}.get(state, [state])


def _shown(study: StudyRecord, run: TrialRecord) -> TrialRecord:
    if run.state is RunState.WAITING and study.cancels:
        return replace(run, state=RunState.CANCELLED, reason=study.closing)
    return run


def _without_rows(study: StudyRecord, state: RunState | None, limit: int, offset: int) -> list[TrialRecord]:
    """The runs of the search on this page that have no rows."""
    numbers = {RunState.CANCELLED: study.dropped, RunState.WAITING: study.to_come}
    states = [(one, number) for one, number in numbers.items() if state in (None, one)]
    counts = (study.counts, study.confirmation)
    total = sum(sum(by_state.values()) if state is None else by_state[state] for by_state in counts)
    begin = total - sum(number for _, number in states)  # those with rows come first
    found: list[TrialRecord] = []
    for one, number in states:
        places = range(max(begin, offset), min(begin + number, offset + limit))
        found.extend([_rowless(one, study.closing if one is RunState.CANCELLED else None)] * len(places))
        begin += number
    return found


def _rowless(state: RunState, reason: str | None) -> TrialRecord:
    return TrialRecord(
        run_id=0,
        number=None,
        state=state,
        params={},
        variant="",
        values=None,
        best_epoch=None,
        epoch=0,
        attempts=0,
        reason=reason,
        worker=None,
        started_at=None,
        finished_at=None,
        duration_s=None,
    )


def _record(
    row: sa.Row[Any], definition: StudyShape, shared: dict[str, Mapping[str, Any]] | None = None
) -> TrialRecord:
    """The row's run; runs of equal facts share one mapping of them if `shared` is given."""
    own = row.given if row.params is None else row.params  # of a run that waits, what it is given
    params = {} if own is None else recorded_params(definition, own)
    duration = None
    if row.started_at is not None and row.finished_at is not None:
        duration = (row.finished_at - row.started_at).total_seconds()
    return TrialRecord(
        run_id=row.id,
        number=row.trial_number,
        state=RunState(row.state),
        params=params,
        variant=intern(variant_of(params, telling_in(definition.search_space))) if params else "",
        values=row._mapping["values"],
        best_epoch=row.best_epoch,
        epoch=row.epoch,
        attempts=row.attempts,
        reason=row.reason,
        worker=None if row.host is None else intern(f"{row.host}:{row.pid}"),
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_s=duration,
        facts=row.facts if shared is None else shared.setdefault(repr(row.facts), row.facts),
        stage=Stage(row.stage),
        place=row.place,
        first_seed=row.first_seed,
        seeds=row.seeds,
        origin=_origin(own, row.given),
        provenance=row.provenance,
        spent_s=float(row.spent),
    )


def _origin(params: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> Origin:
    if outside_of(params or {}) is not None:
        return Origin.OUTSIDE
    return Origin.SAMPLER if given is None else Origin.GIVEN
