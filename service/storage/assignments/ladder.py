"""The legs of a search whose trials pause, as its sampler sees them."""

import sqlalchemy as sa

from search_spaces.optuna.laddered import Ladder, Leg
from service.storage.database.database import Database
from service.storage.records import Lease

_LEGS = sa.text(
    """
    SELECT r.trial_id, l.run_id, l.number, l.epochs, l.cost IS NOT NULL AS is_reached
    FROM fleet.legs l JOIN fleet.runs r ON r.id = l.run_id WHERE l.study_id = :study ORDER BY l.run_id, l.epochs
    """
)


def ladder_of(db: Database, lease: Lease) -> Ladder:
    """The legs so far of the study's trials, and the number of this lease's."""
    found: dict[int, list[Leg]] = {}
    number = 0
    with db.engine.connect() as connection:
        for row in connection.execute(_LEGS, {"study": lease.study_id}):
            found.setdefault(row.trial_id, []).append(Leg(row.number, row.epochs, row.is_reached))
            number = row.number if row.run_id == lease.run_id else number
    return Ladder(found, number)
