"""The queue as it stands: every study that has not ended, in the order in which the fleet serves them, and why."""

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.runs import clock, counting
from service.storage.runs.claiming import FIRST_SERVED, IN_ORDER, SERVED
from service.storage.states import FINISHED_STATES, RunState, Stage

MOST = 200  # studies that are shown


class Standing(StrEnum):
    """Why a study's next run begins now, or does not."""

    NEXT = "next"  # whoever is free takes a run of it
    AFTER_OTHERS = "after others"  # it could begin, and others come first
    HELD_UP = "held up"  # a lag, or paused trials: its next run follows runs that have not ended
    ALL_TRAINING = "all training"  # none of its runs waits
    PAUSED = "paused"
    ENDING = "ending"  # a limit was reached, or it was stopped: what trains may end
    OWN_LOOP = "own loop"  # an own loop takes its runs, and no worker of the fleet


@dataclass(frozen=True, slots=True)
class QueuedStudy:
    """A study that has not ended, with its runs of both stages."""

    name: str
    priority: int
    standing: Standing
    stage: Stage
    lag: int | None  # of its sampler
    why: str | None  # it has paused itself, or ends
    waiting: int
    running: int
    paused: int  # at a rung
    finished: int  # complete, pruned or failed


@dataclass(frozen=True, slots=True)
class Queue:
    """The first `MOST` studies in the order in which they are served, and what all that have not ended add up to."""

    studies: tuple[QueuedStudy, ...]
    total: int  # studies
    waiting: int  # runs
    training: int  # runs, of those that the fleet serves


def _of_both_stages(*states: RunState) -> str:
    return " + ".join(f"{stage}_{state}" for stage in Stage for state in states)


_QUEUE = sa.text(
    f"""
    SELECT s.*, count(*) OVER () AS total, sum(waiting) OVER () AS all_waiting,
        sum(running) FILTER (WHERE NOT external) OVER () AS all_running
    FROM (
        SELECT s.id, s.name, s.priority, s.state, s.external, s.stage,
            coalesce(s.closing, s.pause_reason) AS why, (s.definition->'sampler'->>'lag')::int AS lag,
            {_of_both_stages(RunState.WAITING)} + s.to_come AS waiting,
            {_of_both_stages(RunState.PAUSED)} AS paused, {_of_both_stages(*FINISHED_STATES)} AS finished,
            r.id IS NOT NULL AS has_waiting,
            {SERVED.format(now=clock.NOW.format("s"))} AS served,
            (SELECT count(*) FROM fleet.runs WHERE study_id = s.id AND state = 'running') AS running,
            r.id IS NOT NULL AND {IN_ORDER} AS in_order
        FROM fleet.studies s
        CROSS JOIN LATERAL (SELECT {counting.BY_STAGE} FROM fleet.run_counts WHERE study_id = s.id) counted
        LEFT JOIN LATERAL (
            SELECT id, ordinal FROM fleet.runs WHERE study_id = s.id AND state = 'waiting' ORDER BY id LIMIT 1
        ) r ON true
        WHERE s.finished_at IS NULL) s
    ORDER BY {FIRST_SERVED} LIMIT {MOST}
    """
)


def queue(db: Database) -> Queue:
    """Return the queue, read in one statement."""
    with db.engine.connect() as connection:
        rows = connection.execute(_QUEUE).all()
    found: list[QueuedStudy] = []
    for row in rows:
        standing = _standing(row)
        if standing is Standing.NEXT and any(study.standing is Standing.NEXT for study in found):
            standing = Standing.AFTER_OTHERS
        found.append(
            QueuedStudy(
                name=row.name,
                priority=row.priority,
                standing=standing,
                stage=Stage(row.stage),
                lag=row.lag,
                why=row.why,
                waiting=row.waiting,
                running=row.running,
                paused=row.paused,
                finished=row.finished,
            )
        )
    if not rows:
        return Queue((), 0, 0, 0)
    return Queue(tuple(found), rows[0].total, int(rows[0].all_waiting), int(rows[0].all_running or 0))


def _standing(row: sa.Row[tuple[object, ...]]) -> Standing:
    """The study's standing, were it the only one."""
    if row.state == "paused":
        return Standing.PAUSED
    if not row.served:
        return Standing.ENDING
    if row.external:
        return Standing.OWN_LOOP
    if not row.has_waiting:
        return Standing.HELD_UP if row.paused else Standing.ALL_TRAINING
    return Standing.NEXT if row.in_order else Standing.HELD_UP
