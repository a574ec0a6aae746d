"""A study's record, read as a whole: its counts, its best run and its winner."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord, parsed_definition
from service.storage.runs import clock, counting
from service.storage.runs.expressions import HELD_IN_SEARCH_S, SECOND_SIGN, SIGN, THIRD_SIGN
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import trials
from service.storage.studies.failure import COMMONEST, failure, paused

# The best run of the search of the study `page`: the lowest cost comes first, then that of the further objectives, so
# that no other run dominates it, then the earlier run.
_BEST = f"""
    CASE WHEN jsonb_array_length(page.definition->'objectives') > 1 THEN (SELECT id FROM fleet.runs
            WHERE {{which}} AND values[1] = CASE page.sign WHEN 1 THEN (SELECT min(values[1]) FROM fleet.runs
                WHERE {{which}}) ELSE (SELECT max(values[1]) FROM fleet.runs WHERE {{which}}) END
            ORDER BY values[2] * {SECOND_SIGN.format("page.definition")},
                values[3] * {THIRD_SIGN.format("page.definition")}, trial_number, ordinal LIMIT 1)
        WHEN page.sign = 1 THEN (SELECT id FROM fleet.runs WHERE {{which}} AND values[1] IS NOT NULL
            ORDER BY values[1], trial_number, ordinal LIMIT 1)
        ELSE (SELECT id FROM fleet.runs
            WHERE {{which}} AND values[1] = (SELECT max(values[1]) FROM fleet.runs WHERE {{which}})
            ORDER BY trial_number, ordinal LIMIT 1) END
"""
_OF_SEARCH = "study_id = page.id AND stage = 'search' AND state = 'complete'"
# The first run of the configuration that a confirmation recommends, else of the one with the best mean over its seeds.
# All runs of a configuration have the same parameters; one that failed leaves it without a mean.
_WINNER = """
    CASE WHEN decision IS NOT NULL THEN (decision->>'recommended')::bigint ELSE (
        SELECT (array_agg(id ORDER BY ordinal))[1] FROM fleet.runs
        WHERE study_id = page.id AND stage = 'confirmation' GROUP BY params
        HAVING bool_and(state = 'complete' AND values[1] IS NOT NULL)
        ORDER BY page.sign * CASE count(*) WHEN 1 THEN max(values[1]) ELSE sum(values[1] * seeds) / sum(seeds) END,
            min(ordinal) LIMIT 1) END
"""
_WITH_RUNS = f"""
    WITH page AS MATERIALIZED (SELECT *, {SIGN.format("definition")} AS sign FROM fleet.studies {{which}})
    SELECT counted.*, id, name, optuna_study_id, cast(definition AS text) AS definition, state, priority, created_at,
        started_at, finished_at, stage, to_come, dropped, closing, decision, tags, note, pause_reason,
        (SELECT coalesce(jsonb_agg(jsonb_build_array(seeds, rule) ORDER BY seeds), '[]')
            FROM fleet.looks WHERE study_id = page.id) AS looks,
        (SELECT count FROM fleet.histories WHERE study_id = page.id) AS knows,
        CASE WHEN search_running > 0 THEN {HELD_IN_SEARCH_S.format("page.id")} ELSE 0 END AS held_s,
        {clock.STOOD_AT.format("page")} AS stood_at, {COMMONEST} AS commonest,
        CASE WHEN search_complete > 0 THEN {_BEST.format(which=_OF_SEARCH)} END AS best,
        CASE WHEN confirmation_complete > 0 AND finished_at IS NOT NULL AND state <> 'stopped'
            THEN {_WINNER} END AS winner
    FROM page CROSS JOIN LATERAL (
        SELECT {counting.BY_STAGE} FROM fleet.run_counts WHERE study_id = page.id) counted
    ORDER BY id DESC
"""
_STATES = [state.value for state in RunState]


def records(db: Database, which: str, **values: object) -> list[StudyRecord]:
    """The studies that the clauses `which` select: one statement for them, one for their best runs."""
    with db.engine.connect() as connection:
        rows = connection.execute(sa.text(_WITH_RUNS.format(which=which)), values).all()
        definitions = [parsed_definition(row.definition) for row in rows]
        named = {
            run_id: definition
            for row, definition in zip(rows, definitions, strict=True)
            for run_id in (row.best, row.winner)
            if run_id is not None
        }
        runs = trials.by_id(connection, named)
    return [_record(row, definition, runs) for row, definition in zip(rows, definitions, strict=True)]


def _record(row: sa.Row[Any], definition: StudyShape, runs: Mapping[int, TrialRecord]) -> StudyRecord:
    """The study's record, with its best runs from `runs`; a run that has just been deleted is missing there."""
    numbers = iter(row)  # as `counting.BY_STAGE` has them
    search = dict(zip(_STATES, numbers, strict=False))
    spent_s, booked = next(numbers), next(numbers)
    confirmation = dict(zip(_STATES, numbers, strict=False))
    search[RunState.WAITING] += row.to_come
    search[RunState.CANCELLED] += row.dropped
    cancels = row.state == "stopped" or (row.closing is not None and row.stage == Stage.SEARCH)
    if cancels:
        for counts in (search, confirmation):
            counts[RunState.CANCELLED] += counts[RunState.WAITING]
            counts[RunState.WAITING] = 0
    state = _state(row, search[RunState.COMPLETE])
    return StudyRecord(
        id=row.id,
        name=row.name,
        definition=definition,
        state=state,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=search,
        best=runs.get(row.best),
        optuna_study_id=row.optuna_study_id,
        priority=row.priority,
        device_time_s=spent_s + row.held_s,
        confirmation=confirmation,
        winner=runs.get(row.winner),
        to_come=row.to_come,
        dropped=row.dropped,
        closing=row.closing,
        cancels=cancels,
        looks=tuple((seeds, rule) for seeds, rule in row.looks),
        decision=row.decision,
        knows=row.knows or 0,
        tags=tuple(row.tags),
        note=row.note,
        stood_at=row.stood_at,
        booked_epochs=int(booked),
        failure=failure(row, search) if state is StudyState.FAILED else None,
        pause=paused(row),
    )


def _state(row: sa.Row[Any], complete: int) -> StudyState:
    """The state of a study with so many complete trials."""
    if row.finished_at is not None and row.state != "stopped":
        return StudyState.COMPLETE if complete else StudyState.FAILED
    return StudyState(row.state)
