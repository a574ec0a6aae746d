"""Chooses the next leg of a search that is claimed by legs: ASHA's, whose trials pause at rungs, and every other that
has a budget of epochs.

One claim at a time chooses, so that no two promote one trial or spend the same epochs. The rule who goes on is
`search_spaces.rungs`; here it is a query on the legs so far, which counts instead of sorting all of a rung.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape
from search_spaces.known import OUTSIDE
from service.storage.records import parsed_definition
from service.storage.runs.expressions import PLACE
from service.storage.runs.purse import ALL, Purse, best_of_the_furthest, purse
from service.storage.states import EPOCHS_SPENT

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('legs', :study))")

_STUDY = sa.text(
    """
    SELECT definition::text, to_come,
        (SELECT coalesce(max(number) + 1, 0) FROM fleet.legs WHERE study_id = s.id) AS number,
        (SELECT coalesce(sum(booked), 0) FROM fleet.run_counts WHERE study_id = s.id AND stage = 'search') AS booked
    FROM fleet.studies s WHERE id = :study
    """
)

# A leg that was begun and lost its holder in peace: it is paid for.
_BEGUN = """
    SELECT id FROM fleet.runs WHERE study_id = :study AND state = 'waiting' AND booked > 0 ORDER BY id LIMIT 1
"""
_ARE_OPEN = sa.text(
    """
    SELECT EXISTS (SELECT FROM fleet.runs WHERE study_id = :study AND stage = 'search'
        AND (state = 'running' OR state = 'waiting' AND booked > 0))
    """
)

# Whether one of the first :seen legs is under way, ...
_OPEN_BEFORE = sa.text(
    """
    SELECT EXISTS (SELECT FROM fleet.runs r JOIN fleet.legs l ON l.run_id = r.id AND l.epochs = r.booked
        WHERE r.study_id = :study AND r.state IN ('waiting', 'running') AND l.number < :seen)
    """
)
# ... and whether a trial is being asked for.
_IS_ASKED_FOR = sa.text(
    """
    SELECT EXISTS (SELECT FROM fleet.runs
        WHERE study_id = :study AND state IN ('waiting', 'running') AND booked > 0 AND trial_id IS NULL)
    """
)

# The best paused trial of each rung, if it is among the best of those that have reached it. Better ones have gone on or
# have ended. Legs from number :seen on are unknown.
_PROMOTED = sa.text(
    """
    SELECT g.epochs, g.bracket, best.run_id, best.place
    FROM unnest(cast(:brackets AS int[]), cast(:rungs AS int[])) AS g (bracket, epochs)
    CROSS JOIN LATERAL (
        SELECT l.run_id, l.cost, l.place FROM fleet.legs l
        JOIN fleet.runs r ON r.id = l.run_id AND r.state = 'paused' AND r.booked = l.epochs
        WHERE l.study_id = :study AND (l.bracket, l.epochs) = (g.bracket, g.epochs)
            AND l.number < :seen AND l.cost < 'NaN'
        ORDER BY l.cost, l.place LIMIT 1) best
    CROSS JOIN LATERAL (
        SELECT count(*) AS reached, count(*) FILTER (WHERE (l.cost, l.place) < (best.cost, best.place)) AS better
        FROM fleet.legs l WHERE l.study_id = :study AND (l.bracket, l.epochs) = (g.bracket, g.epochs)
            AND l.number < :seen AND l.cost IS NOT NULL) counted
    WHERE counted.better < counted.reached / :factor
    ORDER BY g.epochs DESC, g.bracket
    """
)
_NEW = f"""
    SELECT id, {PLACE} AS place, coalesce(given ? :outside, false) AS is_outside FROM fleet.runs
    WHERE study_id = :study AND stage = 'search' AND state = 'waiting' AND booked = 0
        AND id >= coalesce(cast(:least AS bigint), id) ORDER BY id LIMIT :most
"""
# A claim passes over a row that somebody is about to cancel or to give parameters. Who asks what may begin sees it.
_BEGUN_TEXTS, _NEW_TEXTS = (
    {holds: sa.text(query + (" FOR UPDATE SKIP LOCKED" if holds else "")) for holds in (False, True)}
    for query in (_BEGUN, _NEW)
)
_HAS_EPOCHS = sa.text(
    """
    SELECT EXISTS (SELECT FROM fleet.studies
        WHERE id = :study AND stage = 'search' AND definition->'budget'->>'epochs' IS NOT NULL)
    """
)
_NOTE = sa.text(
    """
    INSERT INTO fleet.legs (run_id, epochs, study_id, number, place, bracket)
    VALUES (:run, :until, :study, :number, :place, :bracket)
    """
)


@dataclass(frozen=True)
class Leg:
    """A leg that may begin: its run trains up to the epoch `until`, counted over all repeats."""

    run_id: int
    start: int  # the epoch after which it begins
    until: int
    place: int
    bracket: int
    is_outside: bool = False  # of the search space: its trial is trained to be compared


@dataclass(frozen=True)
class Begun:
    """A leg that had begun, and waits for another holder."""

    run_id: int


@dataclass(frozen=True)
class Later:
    """No leg may begin before another one has ended, or rows for the next runs are there."""


@dataclass(frozen=True)
class Never:
    """No leg may begin any more; `reason` says which budget is used up, None if all trials had their chance."""

    reason: str | None


Choice = Leg | Begun | Later | Never


def lock(connection: sa.Connection, study_id: int) -> None:
    """Let nobody else choose or end a leg of the study until the transaction ends.

    Call it before anything else is locked: who holds a run's row may not wait for this.
    """
    connection.execute(_LOCK, {"study": study_id})


def choose(connection: sa.Connection, study_id: int, *, holds: bool = False) -> Choice:
    """Choose what a claim gets of the study's search, which may begin runs; nothing is written.

    `holds` is for a claim: the row of a waiting run that is chosen is locked, and one that another has locked is passed
    over.

    First a leg that waits for another holder, then the promotion at the highest rung, then a new trial, and at last,
    while no trial is complete, the best of those that have come furthest. With a lag, the k-th leg is chosen from the
    results of those below k - lag; where they allow none, from those of one more at a time.
    """
    begun: int | None = connection.execute(_BEGUN_TEXTS[holds], {"study": study_id}).scalar_one_or_none()
    if begun is not None:
        return Begun(begun)
    row = connection.execute(_STUDY, {"study": study_id}).one_or_none()
    if row is None:
        return Later()
    definition = parsed_definition(row.definition)
    chosen, dear = _chosen(connection, study_id, definition, row, holds=holds)
    if chosen is not None:
        return chosen
    are_to_come = row.to_come and not any(leg.start == 0 for leg in dear)  # else a row to come would be as dear
    left = purse(connection, study_id, definition, row.booked)
    if connection.execute(_ARE_OPEN, {"study": study_id}).scalar_one() or are_to_come:
        return Later()
    waiting = _candidates(connection, study_id, definition, ALL, holds=False) if holds else iter(())
    if any(_affordable(left, leg) for leg in waiting):
        return Later()  # somebody has locked its row
    spent = f"{EPOCHS_SPENT} {row.booked} of {definition.budget.epochs} are trained, and the rest {left.too_little}"
    return _last_resort(connection, study_id, definition, left) or Never(spent if dear else None)


def _chosen(
    connection: sa.Connection, study_id: int, definition: StudyShape, row: sa.Row[Any], *, holds: bool
) -> tuple[Leg | Later | None, list[Leg]]:
    """The choice among legs that have not begun, if there is one, and those before it that cost more than is left."""
    dear: list[Leg] = []
    for seen in _known(definition, row.number):
        if seen < ALL and connection.execute(_OPEN_BEFORE, {"study": study_id, "seen": seen}).scalar_one():
            return Later(), dear
        left = purse(connection, study_id, definition, row.booked, seen)
        for leg in _candidates(connection, study_id, definition, seen, holds=holds):
            if _affordable(left, leg):
                waits = leg.start == 0 and _waits_for_its_turn(connection, study_id, definition)
                return (Later() if waits else leg), dear
            dear.append(leg)
    return None, dear


def used_up(connection: sa.Connection, study_id: int) -> str | None:
    """Why no leg of the study's search can begin, whatever is added to it: its epochs are used up. None if one can.

    The rows of its next runs are there.
    """
    if not connection.execute(_HAS_EPOCHS, {"study": study_id}).scalar_one():
        return None
    choice = choose(connection, study_id)
    return choice.reason if isinstance(choice, Never) else None


def begin(connection: sa.Connection, study_id: int, leg: Leg) -> None:
    """Note the leg as begun; the caller has the study's legs locked, and books its epochs with the run."""
    number = connection.execute(_STUDY, {"study": study_id}).one().number
    values = {"run": leg.run_id, "until": leg.until, "place": leg.place, "bracket": leg.bracket}
    connection.execute(_NOTE, {**values, "study": study_id, "number": number})


def pays_for(connection: sa.Connection, study_id: int, definition: StudyShape, start: int, until: int) -> bool:
    """Whether the budget still pays for a leg between these epochs."""
    booked: int = connection.execute(_STUDY, {"study": study_id}).one().booked
    return purse(connection, study_id, definition, booked).pays_for(start, until)


def _affordable(left: Purse, leg: Leg) -> bool:
    return left.pays_for(leg.start, leg.until, is_outside=leg.is_outside)


def _known(definition: StudyShape, number: int) -> Iterator[int]:
    """How many of the first legs the leg of this number may be chosen from, in turn."""
    lag = definition.sampler.lag
    if lag is None:
        yield ALL
    else:
        yield from range(max(0, number - lag), number + 1)


def _last_resort(connection: sa.Connection, study_id: int, definition: StudyShape, left: Purse) -> Leg | None:
    """The leg that begins where by the rule none may any more, none is open, and no trial is complete.

    Failures may have left too few at the rungs, and a search without a complete trial has no result. Where three
    that were sent further have failed, no other is.
    """
    best = best_of_the_furthest(connection, study_id) if definition.pruner.pauses else None
    if best is None:
        return None
    until = definition.pruner.after(definition.task.epochs)[best.bracket, best.epochs]
    return Leg(best.run_id, best.epochs, until, best.place, best.bracket) if left.pays_for(best.epochs, until) else None


def _waits_for_its_turn(connection: sa.Connection, study_id: int, definition: StudyShape) -> bool:
    """Whether a new trial waits until those before it have their parameters: with a lag they count from then on."""
    if definition.sampler.lag is None:
        return False
    waits: bool = connection.execute(_IS_ASKED_FOR, {"study": study_id}).scalar_one()
    return waits


def _candidates(
    connection: sa.Connection, study_id: int, definition: StudyShape, seen: int, *, holds: bool
) -> Iterator[Leg]:
    """The legs that might begin, the first choice first."""
    yield from promotions(connection, study_id, definition, seen)
    first = _new(connection, study_id, definition, holds=holds)
    yield from first
    if not first or not definition.pruner.pauses:  # all trials cost the same
        return
    least = first[0].until
    for leg in _new(connection, study_id, definition, first[0].run_id, most=None):
        if leg.until < least:
            least = leg.until
            yield from _new(connection, study_id, definition, leg.run_id, holds=True) if holds else [leg]


def _new(
    connection: sa.Connection,
    study_id: int,
    definition: StudyShape,
    least: int | None = None,
    *,
    most: int | None = 1,
    holds: bool = False,
) -> list[Leg]:
    """The first legs of the trials that wait, from this run on, in the order of the queue."""
    pruner, epochs = definition.pruner, definition.task.epochs
    values = {"study": study_id, "outside": OUTSIDE, "least": least, "most": most}
    found = []
    for row in connection.execute(_NEW_TEXTS[holds], values).all():
        until = definition.epochs
        if pruner.pauses and not row.is_outside:  # what is outside of the search space is trained to be compared
            until = pruner.rungs(row.place, epochs)[0]
        found.append(Leg(row.id, 0, until, row.place, pruner.bracket(row.place, epochs), row.is_outside))
    return found


def promotions(connection: sa.Connection, study_id: int, definition: StudyShape, seen: int = ALL) -> Iterator[Leg]:
    """The promotion at each rung that has one, the highest rung first."""
    after = definition.pruner.after(definition.task.epochs)
    values = {"study": study_id, "seen": seen, "factor": definition.pruner.one_in}
    of_rungs = {"brackets": [bracket for bracket, _ in after], "rungs": [rung for _, rung in after]}
    for row in connection.execute(_PROMOTED, {**values, **of_rungs}).all() if after else ():
        yield Leg(row.run_id, row.epochs, after[row.bracket, row.epochs], row.place, row.bracket)
