"""Where a study's runs came from."""

from collections.abc import Mapping

import sqlalchemy as sa

from search_spaces import StudyShape
from service.storage.database.database import Database
from service.storage.database.tables import provenances, runs
from service.storage.provenance import Provenance, TaskCode, task_codes
from service.storage.records import TrialRecord, seeds_of

MOST_RUNS = 50_000  # that are counted when a study is shown


def of_study(db: Database, study_id: int) -> Mapping[str, Provenance]:
    """Return the provenances that the study's runs name, by their digests; runs of earlier releases name none."""
    of_study = runs.c.study_id == study_id
    begun_under = sa.select(runs.c.facts["begun_under"].astext).where(of_study)
    used = sa.select(runs.c.provenance).where(of_study).union(begun_under)
    return _by_digest(db, sa.select(provenances).where(provenances.c.hash.in_(used)).order_by(provenances.c.hash))


def of_run(db: Database, definition: StudyShape, run: TrialRecord) -> Provenance | None:
    """Return where the run comes from, with its seeds; None for one of an earlier release, or not begun."""
    if run.provenance is None:
        return None
    found = _by_digest(db, sa.select(provenances).where(provenances.c.hash == run.provenance))
    seeds = seeds_of(definition, run)
    told = {"study": definition.seed, "first": seeds.start, "count": len(seeds)}
    return {"seeds": told, **found[run.provenance]}


def codes_of(db: Database, study_id: int) -> list[TaskCode]:
    """Return the sources of the task that trained the study's runs, of a very long one the latest MOST_RUNS."""
    named = sa.select(runs.c.provenance).where(runs.c.study_id == study_id, runs.c.provenance.is_not(None))
    latest = named.order_by(runs.c.id.desc()).limit(MOST_RUNS).subquery()
    counted = sa.select(latest.c.provenance, sa.func.count().label("runs")).group_by(latest.c.provenance)
    with db.engine.connect() as connection:
        counts = {row.provenance: row.runs for row in connection.execute(counted)}
    return task_codes(counts, _by_digest(db, sa.select(provenances).where(provenances.c.hash.in_(counts))))


def _by_digest(db: Database, query: sa.Select[tuple[str, Provenance]]) -> Mapping[str, Provenance]:
    with db.engine.connect() as connection:
        return {row.hash: row.content for row in connection.execute(query)}
