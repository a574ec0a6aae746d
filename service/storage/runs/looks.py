"""The looks at a confirmation until it is decided: who goes on, how far, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from search_spaces import StudyShape
from search_spaces.confirmation import CHEAPEST
from service.storage.database.tables import studies
from service.storage.runs.configurations import Configuration
from service.storage.runs.figures import costs_of, epoch_seconds

if TYPE_CHECKING:
    from service.statistics import Decision

FIXED, SEQUENTIAL = "fixed", "sequential"  # the rules that a look may follow

_LOOKS = sa.text("SELECT seeds, rule FROM fleet.looks WHERE study_id = :study ORDER BY seeds")
_NOTE = sa.text(
    """
    INSERT INTO fleet.looks (study_id, seeds, rule, runs, kept)
    SELECT :study, :seeds, :rule, max(ordinal) + 1, cast(:kept AS bigint[]) FROM fleet.runs WHERE study_id = :study
    ON CONFLICT DO NOTHING
    """
)
_KEEP = sa.text("UPDATE fleet.looks SET kept = cast(:kept AS bigint[]) WHERE study_id = :study AND seeds = :seeds")


@dataclass(frozen=True)
class Standing:
    """How a confirmation stands after its looks."""

    seeds: int  # of the last look; 0 before the first
    left: tuple[Configuration, ...]  # those that were not dropped, the best mean first
    decision: "Decision | None"  # None before the first look

    @property
    def is_open(self) -> bool:
        """Whether a further look is needed."""
        return self.decision is None or self.decision.outcome == "open"


def looks_at(connection: sa.Connection, study_id: int) -> list[tuple[int, str]]:
    """Return the looks at the study's confirmation: the number of seeds, ascending, and the rule."""
    return [(row.seeds, row.rule) for row in connection.execute(_LOOKS, {"study": study_id})]


def is_fixed_first(looks: Sequence[tuple[int, str]]) -> bool:
    """Whether the first look was at the end of a fixed number of seeds, before anything was added.

    Its figures were shown with the intervals of all pairs. Whoever extends an extended confirmation has seen the
    figures of a later look by the rule that looks share. Earlier releases noted these looks as fixed, too.
    """
    return any(rule == FIXED for _, rule in looks[:1])


def note(connection: sa.Connection, study_id: int, seeds: int, rule: str, kept: Sequence[Configuration] = ()) -> None:
    """Note a look. Its study is locked, none of its runs is open, and a second one under as many seeds is no look."""
    values = {"study": study_id, "seeds": seeds, "rule": rule, "kept": [one.first for one in kept]}
    connection.execute(_NOTE, values)


def standing(
    connection: sa.Connection, study_id: int, definition: StudyShape, configurations: Sequence[Configuration]
) -> Standing:
    """Return how the confirmation of these configurations stands, from its looks and figures alone.

    One whose run failed or was cancelled before its first look has no part in it. The last look notes who is left.
    """
    looks = looks_at(connection, study_id)
    costs = costs_of(connection, definition, configurations) if looks else []
    compared = [
        (one, values)
        for one, values in zip(configurations, costs, strict=False)
        if one.is_whole or len(values) >= looks[0][0]
    ]
    if not compared:
        return Standing(0, tuple(one for one in configurations if one.is_whole), None)
    from service.statistics import Rules, decide  # imports scipy, which would slow every worker's start

    assert definition.confirmation is not None
    confirmation = definition.confirmation
    rules = Rules(confirmation.most, confirmation.indifference, is_fixed_first=is_fixed_first(looks))
    seeds = [number for number, _ in looks]
    decision = decide([values for _, values in compared], seeds, rules)
    left = tuple(compared[number][0] for number in decision.left)
    connection.execute(_KEEP, {"study": study_id, "seeds": seeds[-1], "kept": [one.first for one in left]})
    return Standing(seeds[-1], left, decision)


def next_goal(confirmation_most: int, seeds: int) -> int:
    """Return how many seeds the look after the one at `seeds` has; the same if no more are allowed."""
    from service.statistics import next_look

    return next_look(seeds, confirmation_most) if seeds < confirmation_most else seeds


def store(connection: sa.Connection, study_id: int, verdict: Mapping[str, Any] | None) -> None:
    """Store the study's verdict; None removes it."""
    value = sa.null() if verdict is None else dict(verdict)
    connection.execute(studies.update().where(studies.c.id == study_id).values(decision=value))


def verdict(connection: sa.Connection, definition: StudyShape, found: Standing) -> dict[str, Any] | None:
    """Return the verdict as the study's row has it; None if there was no look."""
    if found.decision is None:
        return None
    recommended = _recommended(connection, definition, found)
    return {
        "outcome": found.decision.outcome.value,
        "seeds": found.seeds,
        "recommended": None if recommended is None else recommended.first,
        "left": [one.first for one in found.left],
    }


def _recommended(connection: sa.Connection, definition: StudyShape, found: Standing) -> Configuration | None:
    """The best mean, or of practically equal configurations the preferred one."""
    assert definition.confirmation is not None
    assert found.decision is not None
    if not found.left or found.decision.outcome != "practically equal":
        return next(iter(found.left), None)
    prefer = definition.confirmation.prefer
    preferred = [one for one in found.left if prefer != CHEAPEST and one.variant == prefer]
    if preferred:
        return preferred[0]
    return min(found.left, key=lambda one: epoch_seconds(connection, definition, one))
