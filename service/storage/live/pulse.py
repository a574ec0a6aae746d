"""Whether anything of some studies has changed: one short statement for all of them, by indexes alone.

It compares states and does not count events. Numbers of a sequence become visible out of order, so that who asks for
"all rows after this one" loses some; a state that differs is found whenever its change is committed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from service.storage.database.incarnation import INCARNATION
from service.storage.runs.clock import SILENT_S
from service.storage.states import RunState, Stage

_SUMS = ", ".join(f"sum({state}) FILTER (WHERE stage = '{stage}')" for stage in Stage for state in RunState)

# `xmin` is another one after every change of the study's row, whose definition would take long to read.
_PULSES = sa.text(
    f"""
    SELECT s.id, s.name, {INCARNATION} AS incarnation,
        concat_ws(' ', s.xmin, (SELECT concat_ws(' ', {_SUMS}) FROM fleet.run_counts WHERE study_id = s.id)) AS mark,
        (SELECT count(*) FROM fleet.workers w WHERE w.stopped_at IS NULL
            AND w.seen_at > now() - interval '{SILENT_S} seconds'
            AND w.study_id IS NOT DISTINCT FROM CASE WHEN s.external THEN s.id END) AS alive,
        (SELECT coalesce(jsonb_agg(jsonb_build_array(r.id, r.token, r.writes, r.epoch) ORDER BY r.id), '[]')
            FROM fleet.runs r WHERE r.study_id = s.id AND r.state = 'running') AS running
    FROM fleet.studies s WHERE s.id = ANY(:studies)
    """
)
_NAMED = sa.text("SELECT id FROM fleet.studies WHERE name = :name")


@dataclass(frozen=True)
class Step:
    """Where a run in training stands. Another token is another holder; each write of a holder counts one."""

    token: int
    writes: int
    epoch: int  # over all repeats


@dataclass(frozen=True)
class Pulse:
    """What differs after every change of a study or its runs."""

    name: str
    incarnation: str  # of the database: another one may have forgotten what was read
    mark: str  # of the study's row and of how many runs are in each state
    alive: int  # workers that could train its runs, seen in the last minute
    running: Mapping[int, Step]  # by run id


def pulses(connection: sa.Connection, studies: Collection[int]) -> dict[int, Pulse]:
    """Return the pulses of the studies of these ids; one that was deleted is missing."""
    return {
        row.id: Pulse(row.name, row.incarnation, row.mark, row.alive, {run: Step(*step) for run, *step in row.running})
        for row in connection.execute(_PULSES, {"studies": list(studies)})
    }


def id_of(connection: sa.Connection, name: str) -> int | None:
    """Return the id of the study of this name; None where there is none."""
    found: int | None = connection.execute(_NAMED, {"name": name}).scalar_one_or_none()
    return found
