"""What the models of a study's confirmation say of sets of inputs."""

from typing import Any

import sqlalchemy as sa

from service.storage import scores
from service.storage.database.database import Database
from service.storage.database.tables import examinations, runs
from service.storage.records import Examination
from service.storage.states import RunState

_SHOWN = (RunState.COMPLETE, RunState.RUNNING)
_ORDER = (examinations.c.run_id, examinations.c.repeat, examinations.c.inputs)
_FIGURES = tuple(column for column in examinations.c if column.name != "scores")


def of_study(db: Database, study_id: int) -> list[Examination]:
    """Return the examinations of the study's complete and running runs, by run, repeat and set of inputs."""
    query = _of(sa.select(examinations), study_id).order_by(*_ORDER)
    with db.engine.connect() as connection:
        return [_read(row) for row in connection.execute(query)]


def of_run(db: Database, run_id: int) -> list[Examination]:
    """Return the examinations of one run, without scores, by repeat and set of inputs."""
    query = sa.select(*_FIGURES).where(examinations.c.run_id == run_id).order_by(*_ORDER)
    with db.engine.connect() as connection:
        return [_read(row) for row in connection.execute(query)]


def page(db: Database, study_id: int, limit: int, offset: int = 0) -> list[Examination]:
    """Return at most `limit` of what `of_study` returns, without scores, after the first `offset`."""
    query = _of(sa.select(*_FIGURES), study_id).order_by(*_ORDER).limit(limit).offset(offset)
    with db.engine.connect() as connection:
        return [_read(row) for row in connection.execute(query)]


def count(db: Database, study_id: int) -> int:
    """Return the number of examinations that `of_study` returns."""
    query = _of(sa.select(sa.func.count()).select_from(examinations), study_id)
    with db.engine.connect() as connection:
        found: int = connection.execute(query).scalar_one()
    return found


def _of(query: sa.Select[Any], study_id: int) -> sa.Select[Any]:
    query = query.join(runs, runs.c.id == examinations.c.run_id)
    return query.where(runs.c.study_id == study_id, runs.c.state.in_(_SHOWN))


def _read(row: sa.Row[Any]) -> Examination:
    fields = dict(row._mapping)
    fields["figures"] = {name: float("nan") if value is None else value for name, value in fields["figures"].items()}
    fields["scores"] = scores.unpacked(fields["scores"]) if "scores" in fields else {}
    return Examination(**fields)
