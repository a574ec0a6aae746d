"""What has happened to a study's runs lately, from their history: ends, and attempts that were lost or handed back.

It is the last so many of what is visible now, not "all since": a change that is committed late stands in its place.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from search_spaces.objective import TEST
from service.storage.states import AttemptState, RunState, Stage

MOST = 25  # happenings

# Only runs that may have changed lately are looked at, each kind by its own index. A run that begins is no happening,
# nor is a claim that its holder has repeated.
_LATELY = sa.text(
    f"""
    WITH lately AS (
        (SELECT id FROM fleet.runs WHERE study_id = :study AND state = 'running' LIMIT 500)
        UNION (SELECT id FROM fleet.runs WHERE study_id = :study AND state = 'waiting' AND token > 0 LIMIT 200)
        UNION (SELECT id FROM fleet.runs WHERE study_id = :study AND trial_number IS NOT NULL
            ORDER BY trial_number DESC LIMIT :some)
        UNION (SELECT id FROM fleet.runs WHERE study_id = :study AND stage = 'search'
            AND state IN ('complete', 'pruned', 'failed') ORDER BY finished_at DESC, id DESC LIMIT :some)
        UNION (SELECT id FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation'
            AND (state <> 'waiting' OR token > 0) ORDER BY ordinal DESC LIMIT :some)),
    changes AS (
        SELECT h.*, lag(h.state) OVER earlier AS before, lag(h.worker_id) OVER earlier AS loser,
            lag(h.attempts) OVER earlier AS attempt,
            max(h.id) FILTER (WHERE h.state = 'running') OVER (PARTITION BY h.run_id) AS last_begun
        FROM fleet.run_history h JOIN lately ON lately.id = h.run_id
        WINDOW earlier AS (PARTITION BY h.run_id ORDER BY h.id))
    SELECT c.id, c.at, c.state, c.before, c.attempts, c.attempt, c.reason, r.stage, r.trial_number,
        CASE WHEN c.id >= coalesce(c.last_begun, 0) THEN r.epoch END AS epoch, r.values[1] AS value,
        coalesce(r.facts->>'confirmed_on', '{TEST}') = '{TEST}' AND r.stage = 'confirmation' AS is_tested,
        w.host || ':' || w.pid AS worker, l.host || ':' || l.pid AS loser,
        CASE r.stage WHEN 'confirmation' THEN (
            SELECT count(*) FROM fleet.runs e
            WHERE e.study_id = r.study_id AND e.stage = r.stage AND e.ordinal < r.ordinal) END AS place
    FROM changes c JOIN fleet.runs r ON r.id = c.run_id
        LEFT JOIN fleet.workers w ON w.id = c.worker_id LEFT JOIN fleet.workers l ON l.id = c.loser
    WHERE c.state <> 'running' OR c.before = 'running' AND c.worker_id IS DISTINCT FROM c.loser
    ORDER BY c.id DESC LIMIT :most
    """
)


@dataclass(frozen=True)
class Happening:
    """An end of a run or of an attempt, or an order to try it again (`state` is None then)."""

    id: int  # of the history; later ones are larger, but those of different runs may become visible out of order
    at: datetime
    stage: Stage
    number: int | None  # of the trial, or the place in the confirmation; None for a trial that had none yet
    state: AttemptState | None
    value: float | None  # of a complete run
    is_tested: bool  # whether the value is of the test split
    epoch: int | None  # that was reached, over all repeats; None where the run has been trained on since
    reason: str | None
    worker: str | None  # whose attempt it was
    heir: str | None = None  # who has taken it over, of an attempt that was lost


def lately(connection: sa.Connection, study_id: int, most: int = MOST) -> list[Happening]:
    """Return the last happenings of the study, the newest first."""
    rows = connection.execute(_LATELY, {"study": study_id, "most": most, "some": 2 * most}).all()
    return [_happening(row) for row in rows]


def _happening(row: sa.Row[tuple[object, ...]]) -> Happening:
    stage = Stage(row.stage)
    state, worker, heir = _state(row), row.worker, None
    if row.state == RunState.RUNNING:
        worker, heir = row.loser, row.worker
    return Happening(
        id=row.id,
        at=row.at,
        stage=stage,
        number=row.trial_number if stage is Stage.SEARCH else row.place,
        state=state,
        value=row.value if state is AttemptState.COMPLETE else None,
        is_tested=row.is_tested,
        epoch=row.epoch,
        reason=row.reason,
        worker=worker,
        heir=heir,
    )


def _state(row: sa.Row[tuple[object, ...]]) -> AttemptState | None:
    if row.state == RunState.RUNNING:
        return AttemptState.LOST
    if row.state != RunState.WAITING:
        return AttemptState(row.state)
    if row.before != RunState.RUNNING:
        return None
    return AttemptState.LOST if row.attempts == row.attempt else AttemptState.PREEMPTED
