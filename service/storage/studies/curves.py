"""Learning curves, kept in our own table, since Optuna reads every report of every running trial again."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from search_spaces.objective import metric_name
from service.storage.database.database import Database
from service.storage.database.tables import curves, runs
from service.storage.records import CurvePoint

_ORDER = (curves.c.repeat, curves.c.epoch, curves.c.split, curves.c.metric)
_POINT = (curves.c.epoch, curves.c.repeat, curves.c.split, curves.c.metric, curves.c.value)


def of_run(db: Database, run_id: int) -> list[CurvePoint]:
    """Return the run's points by repeat, epoch, split, metric."""
    with db.engine.connect() as connection:
        rows = connection.execute(sa.select(*_POINT).where(curves.c.run_id == run_id).order_by(*_ORDER))
        return [CurvePoint(*row) for row in rows]


def epochs_of_run(db: Database, run_id: int) -> Mapping[tuple[int, int], Mapping[str, float]]:
    """Return the run's metrics, named "<split>_<metric>", by repeat and epoch, in this order."""
    epochs: dict[tuple[int, int], dict[str, float]] = {}
    for point in of_run(db, run_id):
        epochs.setdefault((point.repeat, point.epoch), {})[metric_name(point.split, point.metric)] = point.value
    return epochs


def of_study(
    db: Database, study_id: int, metrics: Collection[tuple[str, str]] | None = None
) -> Mapping[int, list[CurvePoint]]:
    """Return the points of the study's runs by run id, for the given (split, metric) pairs or for all."""
    query = sa.select(curves.c.run_id, *_POINT).join(runs, runs.c.id == curves.c.run_id)
    query = query.where(runs.c.study_id == study_id).order_by(curves.c.run_id, *_ORDER)
    if metrics is not None:
        query = query.where(sa.tuple_(curves.c.split, curves.c.metric).in_(list(metrics)))
    points: dict[int, list[CurvePoint]] = {}
    with db.engine.connect() as connection:
        for run_id, *point in connection.execute(query):
            points.setdefault(run_id, []).append(CurvePoint(*point))
    return points
