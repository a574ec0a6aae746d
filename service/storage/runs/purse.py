"""What a budget of epochs still has for the legs of a search, and what of it is kept back.

A search whose trials pause has a result only if one of them is trained to its end. So what the one that was sent
furthest still needs for that is spent on nothing else. Configurations from outside of the search space do not count as
such a result: they are trained to be compared.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from search_spaces import StudyShape
from search_spaces.known import OUTSIDE
from service.storage.runs.failing import ALIKE

# The epochs in the books, as far as the results of the first :seen legs are known.
_BOOKED_BY = sa.text(
    """
    SELECT coalesce(sum(CASE WHEN l.number < :seen THEN r.booked ELSE l.epochs END), 0)
    FROM fleet.runs r JOIN LATERAL (
        SELECT number, epochs FROM fleet.legs WHERE run_id = r.id ORDER BY epochs DESC LIMIT 1) l ON true
    WHERE r.study_id = :study AND r.stage = 'search'
    """
)
# The highest rung to which a trial was sent that has not ended before it, as far as is known. The order is that of the
# index, so that of a rung's legs one is read, as a rule.
_FURTHEST = sa.text(
    """
    SELECT coalesce(max(rung), 0)
    FROM unnest(cast(:rungs AS int[])) rung CROSS JOIN generate_series(0, :last) ladder CROSS JOIN LATERAL (
        SELECT FROM fleet.legs l WHERE l.study_id = :study AND l.bracket = ladder AND l.epochs = rung
            AND (SELECT NOT coalesce(given ? :outside, false)
                    AND (l.number >= :seen OR state IN ('waiting', 'running', 'paused', 'complete'))
                FROM fleet.runs WHERE id = l.run_id)
        ORDER BY l.cost, l.place LIMIT 1) one
    """
)
# The best of the paused trials that have come furthest, until one is complete or too many have failed beyond there.
_BEST = sa.text(
    """
    SELECT best.* FROM (
        SELECT l.run_id, l.epochs, l.place, l.bracket FROM fleet.legs l
        JOIN fleet.runs r ON r.id = l.run_id AND r.state = 'paused' AND r.booked = l.epochs
        WHERE l.study_id = :study AND l.cost < 'NaN' AND NOT EXISTS (
            SELECT FROM fleet.runs c WHERE c.study_id = :study AND c.stage = 'search' AND c.state = 'complete'
                AND NOT coalesce(c.given ? :outside, false))
        ORDER BY l.epochs DESC, l.cost, l.place LIMIT 1) best
    WHERE (SELECT count(DISTINCT e.run_id) FROM fleet.legs e JOIN fleet.runs f ON f.id = e.run_id AND f.state = 'failed'
        WHERE e.study_id = :study AND e.epochs > best.epochs) < :most_failed
    """
)
ALL = 2**31 - 1  # legs: no number is larger


@dataclass(frozen=True)
class Purse:
    """The epochs that are left; `furthest` is the epoch up to which a trial was sent, `end` that of a whole one."""

    left: int | None  # None if epochs are not budgeted
    furthest: int
    end: int

    def pays_for(self, start: int, until: int, *, is_outside: bool = False) -> bool:
        """Whether a leg from one epoch to another may begin, and the rest still lets a trial come to its end."""
        if self.left is None:
            return True
        furthest = self.furthest if is_outside else max(self.furthest, until)
        return until - start + self.end - furthest <= self.left

    @property
    def too_little(self) -> str:
        """What the rest does not do, where it pays for no leg."""
        return "pays for no leg" if self.furthest == self.end else "brings no trial to its end"


def purse(connection: sa.Connection, study_id: int, definition: StudyShape, booked: int, seen: int = ALL) -> Purse:
    """The purse of a study with so many epochs in its books, as it is known from the results of its first legs."""
    budget, end = definition.budget.epochs, definition.epochs
    if budget is None:
        return Purse(None, end, end)
    study = {"study": study_id, "seen": seen}
    if seen < ALL:
        booked = connection.execute(_BOOKED_BY, study).scalar_one()
    if not definition.pruner.pauses:
        return Purse(budget - booked, end, end)
    after = definition.pruner.after(definition.task.epochs)
    last = 1 + max(bracket for bracket, _ in after)  # after the brackets with rungs comes one whose trials do not pause
    rungs = {"rungs": sorted({rung for _, rung in after} | {end}), "last": last}
    furthest = connection.execute(_FURTHEST, {**study, **rungs, "outside": OUTSIDE}).scalar_one()
    return Purse(budget - booked, furthest, end)


def best_of_the_furthest(connection: sa.Connection, study_id: int) -> sa.Row[tuple[int, int, int, int]] | None:
    """The run of the best of those that are paused at the highest rung, with its rung, place and bracket; None once a
    trial is complete, or ALIKE that were sent further have failed."""
    values = {"study": study_id, "outside": OUTSIDE, "most_failed": ALIKE}
    return connection.execute(_BEST, values).one_or_none()
