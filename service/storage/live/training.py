"""The runs in training: who holds them, and the points of their learning curves from a known one on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

import sqlalchemy as sa

from search_spaces import StudyShape
from service.storage.records import TrialRecord
from service.storage.studies import trials

_HELD = sa.text(
    """
    SELECT r.id, r.leased_at, w.device FROM fleet.runs r LEFT JOIN fleet.workers w ON w.id = r.worker_id
    WHERE r.id = ANY(:runs)
    """
)
# The last known point comes again: where it is missing or another one, the curve has begun anew.
_POINTS = sa.text(
    """
    SELECT c.run_id, c.repeat, c.epoch,
        max(c.value) FILTER (WHERE c.split = k.split AND c.metric = k.metric) AS value,
        max(c.value) FILTER (WHERE c.split = 'train' AND c.metric = 'seconds') AS seconds
    FROM unnest(cast(:runs AS bigint[]), cast(:repeats AS int[]), cast(:epochs AS int[]), cast(:every AS int[]),
        cast(:splits AS text[]), cast(:metrics AS text[])) AS k (run, repeat, epoch, every, split, metric)
    JOIN fleet.curves c ON c.run_id = k.run AND (c.repeat, c.epoch) >= (k.repeat, k.epoch)
    WHERE (c.split = k.split AND c.metric = k.metric OR c.split = 'train' AND c.metric = 'seconds')
        AND (c.epoch % k.every = 0 OR c.epoch = 1)
    GROUP BY c.run_id, c.repeat, c.epoch ORDER BY c.run_id, c.repeat, c.epoch
    """
)


@dataclass(frozen=True)
class Held:
    """A run with its present holder."""

    run: TrialRecord
    leased_at: datetime | None  # by this holder
    device: str | None  # as the worker names it


@dataclass(frozen=True)
class Point:
    """An epoch of a learning curve."""

    repeat: int  # from 0
    epoch: int  # from 1
    value: float | None  # of the metric that was asked for; None where it is not a finite number
    seconds: float | None  # that its training took; None where the task does not say it


@dataclass(frozen=True)
class Wanted:
    """Which points of a run are wanted."""

    run: int
    metric: str  # "<split>_<name>"
    after: Point | None = None  # this one and those after it; None for all
    every: int = 1  # of all points only those of every so many epochs, and the first


def held(connection: sa.Connection, definitions: Mapping[int, StudyShape]) -> dict[int, Held]:
    """Return the runs of these ids, by id; `definitions` are those of their studies. A deleted one is missing."""
    if not definitions:
        return {}
    records = trials.by_id(connection, definitions)
    rows = connection.execute(_HELD, {"runs": list(definitions)}).all()
    return {row.id: Held(records[row.id], row.leased_at, row.device) for row in rows if row.id in records}


def points(connection: sa.Connection, wanted: Sequence[Wanted]) -> dict[int, list[Point]]:
    """Return the wanted points by run id, in their order; a run without any has []."""
    found: dict[int, list[Point]] = {one.run: [] for one in wanted}
    if not wanted:
        return found
    columns = {
        "runs": [one.run for one in wanted],
        "repeats": [one.after.repeat if one.after else 0 for one in wanted],
        "epochs": [one.after.epoch if one.after else 0 for one in wanted],
        "every": [one.every for one in wanted],
        "splits": [one.metric.partition("_")[0] for one in wanted],
        "metrics": [one.metric.partition("_")[2] for one in wanted],
    }
    for row in connection.execute(_POINTS, columns):
        found[row.run_id].append(Point(row.repeat, row.epoch, _finite(row.value), _finite(row.seconds)))
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
