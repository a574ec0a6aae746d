"""How much a study holds, and a mark that changes with it: what a reader of all of it asks first."""

from dataclasses import dataclass

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import BEGUN_STATES, Stage

SAMPLE = 200  # runs whose points are counted

_RUNS = sa.text("SELECT count(*) FROM fleet.runs WHERE study_id = :study AND stage = :stage AND state = ANY(:begun)")
_POINTS = sa.text(
    """
    SELECT count(*) FROM fleet.curves WHERE run_id = ANY(ARRAY(
        SELECT id FROM fleet.runs WHERE study_id = :study AND stage = :stage AND state = ANY(:begun)
        AND ordinal % :every = 0))
    """
)
# Whatever changes a run changes one of these columns; curves grow with `epoch` only.
_MARK = sa.text(
    """
    SELECT concat_ws(' ', s.id, s.state, s.priority, s.stage, s.finished_at, s.tags, s.note, md5(s.definition::text), (
        SELECT concat_ws(' ', count(*), sum(hashtextextended(
            concat_ws(' ', r.id, r.state, r.token, r.attempts, r.epoch, r.finished_at, r.values, r.reason), 0)))
        FROM fleet.runs r WHERE r.study_id = s.id))
    FROM fleet.studies s WHERE s.id = :study
    """
)


@dataclass(frozen=True)
class Extent:
    """The search's begun runs, and about how many numbers their learning curves have."""

    runs: int
    points: int


def extent_of(db: Database, study_id: int) -> Extent:
    """Return the study's extent; the points are estimated from some of its runs."""
    which = {"study": study_id, "stage": Stage.SEARCH, "begun": list(BEGUN_STATES)}
    with db.engine.connect() as connection:
        begun: int = connection.execute(_RUNS, which).scalar_one()
        every = max(1, begun // SAMPLE)
        some: int = connection.execute(_POINTS, {**which, "every": every}).scalar_one()
    return Extent(begun, some * every)


def mark_of(db: Database, study_id: int) -> str | None:
    """Return a text that is another one after every change of the study or of its runs; None for no such study."""
    with db.engine.connect() as connection:
        mark: str | None = connection.execute(_MARK, {"study": study_id}).scalar_one_or_none()
        return mark
