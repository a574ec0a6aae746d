"""Runs that wait for other runs: of a search with a lag for those before them, by legs for a rung to grow or for epochs
that others have booked.

A worker that finds only such runs asks for the `mark` until it differs: one statement that takes no lock and chooses
nothing. A claim of a search by legs locks the study's legs and counts its rungs.
"""

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import RunState

_HELD_UP = sa.text(
    """
    SELECT name FROM fleet.studies s WHERE state = 'running' AND finished_at IS NULL AND stage = 'search'
        AND closing IS NULL AND CASE WHEN external THEN id END IS NOT DISTINCT FROM cast(:study AS bigint)
        AND (by_legs OR definition->'sampler'->>'lag' IS NOT NULL)
        AND EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state IN ('waiting', 'paused'))
        AND EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state = 'running')
    ORDER BY priority DESC, id LIMIT 1
    """
)

# A run that begins, ends, pauses, books epochs or goes back changes a sum; a change of the study's row its xmin. With a
# lag a trial also waits for those before it to be asked for.
_SUMS = ", ".join(f"sum({column})" for column in (*RunState, "booked"))
_MARK = sa.text(
    f"""
    SELECT coalesce(string_agg(concat_ws(' ', s.id, s.xmin,
        (SELECT concat_ws(' ', {_SUMS}) FROM fleet.run_counts WHERE study_id = s.id),
        (SELECT count(trial_id) FROM fleet.runs WHERE study_id = s.id AND state = 'running')), ', ' ORDER BY s.id), '')
    FROM fleet.studies s WHERE state = 'running' AND finished_at IS NULL AND NOT external
    """
)


def held_up(db: Database, study_id: int | None = None) -> str | None:
    """The first study that has a run which waits for others. It may begin at any moment.

    It is among those that the fleet serves, or the own loop's of this id.
    """
    with db.engine.connect() as connection:
        name: str | None = connection.execute(_HELD_UP, {"study": study_id}).scalar_one_or_none()
    return name


def mark(db: Database) -> str:
    """What differs after every change that may let a held up run of the fleet's studies begin, but for the end of a
    lost worker's lease."""
    with db.engine.connect() as connection:
        found: str = connection.execute(_MARK).scalar_one()
    return found
