"""The rules for a definition of the right shape."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from search_spaces.grids import size_refusal
from search_spaces.problems import MOST_PROBLEMS, Problem
from search_spaces.rules import (
    alternatives,
    conditions,
    confirmation,
    correlations,
    evaluation,
    external,
    known,
    parameters,
    ranges,
    rates,
    reachability,
    strategies,
    tasks,
    trainable,
    varying,
)
from search_spaces.shape import StudyShape

Rule = Callable[[StudyShape], Iterator[Problem]]


def grid_is_finite_and_bounded(definition: StudyShape) -> Iterator[Problem]:
    if not definition.sampler.visits_grid:
        return
    endless = [name for name, dimension in definition.search_space.items() if dimension.values is None]
    for name in endless:
        rule = "is missing: the grid sampler needs finitely many values"
        yield Problem.at(f"search_space.{name}.step", rule)
    refusal = None if endless else size_refusal(definition.search_space, definition.fixed)
    if refusal is not None:
        yield Problem.at("search_space", refusal)


def grid_is_visited_once(definition: StudyShape) -> Iterator[Problem]:
    """All trials have the same seeds, so a combination that is trained again gives the same value to the last digit."""
    trials = definition.budget.trials
    if not definition.sampler.visits_grid or trials is None:
        return
    most = len(definition.grid) + sum(known.outside for known in definition.start_with)
    if trials > most:
        rule = f"must be at most {most:,}, the configurations of the grid, got {trials:,}"
        yield Problem.at("budget.trials", f"{rule}: leave it out, and set repeats to train each under several seeds")


# A later stage relies on what the earlier ones have checked.
STAGES = (
    (
        *tasks.RULES,
        *external.RULES,
        *ranges.RULES,
        *parameters.RULES,
        *conditions.RULES,
        *strategies.RULES,
        *known.FIRST_RULES,
    ),
    (*confirmation.RULES, *evaluation.RULES, *varying.RULES),
    (*reachability.RULES, *alternatives.RULES, *rates.RULES, *correlations.RULES, *trainable.RULES),
    (grid_is_finite_and_bounded, strategies.race_has_a_trial_for_every_variant, *confirmation.OF_VARIANTS),
)
# For the definition with what it leaves unsaid: a configuration may not have what a condition added there excludes.
COMPLETED_STAGES = (known.RULES, known.LAST_RULES, (grid_is_visited_once,))


def broken_rules(definition: StudyShape, stages: Sequence[Sequence[Rule]] = STAGES) -> list[Problem]:
    """The problems of the first stage that has any, no more of them than are reported."""
    for stage in stages:
        found = (problem for rule in stage for problem in rule(definition))
        problems = list(islice(found, MOST_PROBLEMS))
        if problems:
            return problems
    return []
