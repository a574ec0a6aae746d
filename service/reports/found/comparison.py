"""The study's variants under shared seeds: every repeat is a block in which each variant has one value."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.reports.found.results import Results
from service.statistics import AllPairs, Friedman, PairedDifference, choose, choosing_seeds, friedman
from service.storage.records import TrialRecord

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """One configuration of every variant, each trained under the same seeds."""

    chosen: tuple[TrialRecord, ...]  # one per variant
    values: NDArray[np.float64]  # (judging seeds, variants) first objective of each repeat's best epoch
    costs: NDArray[np.float64]  # the same with the sign that makes less better
    choosing: int  # seeds that chose the configurations and do not judge them; 0 if the same seeds did both
    configurations: tuple[int, ...]  # of each variant, to choose from

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(trial.variant for trial in self.chosen)

    @property
    def seeds(self) -> int:
        """The number of judging seeds."""
        return len(self.values)

    @property
    def is_fair(self) -> bool:
        """Whether more configurations favour no variant: other seeds chose, or all variants had equally many."""
        return self.choosing > 0 or len(set(self.configurations)) == 1

    @property
    def can_decide(self) -> bool:
        """Whether the test could reject if every seed agreed; with two variants under five seeds it cannot."""
        return friedman(np.tile(np.arange(len(self.chosen)), (self.seeds, 1))).p_value < ALPHA

    def test(self) -> Friedman:
        """Friedman's test of the costs."""
        return friedman(self.costs)


@dataclass(frozen=True)
class Differences:
    """Every other variant against the one with the best mean rank."""

    test: Friedman
    order: tuple[int, ...]  # the comparison's variants by mean rank, the best first
    to_first: Mapping[int, PairedDifference]  # of every other variant

    @property
    def methods(self) -> list[str]:
        """The methods that computed the intervals, sorted."""
        return sorted({difference.method for difference in self.to_first.values()})


def compare(results: Results) -> Comparison | None:
    """The comparison of all variants with complete trials, or None with fewer than 2 variants or 2 seeds."""
    repeats = results.study.definition.repeats
    if repeats < 2:
        return None
    by_variant = {variant: _repeated(results, variant) for variant in results.compared}
    trained = {variant: trials for variant, trials in by_variant.items() if trials}
    if len(trained) < 2:
        return None
    cost, choosing = results.objective.cost, choosing_seeds(repeats, max(map(len, trained.values())))
    chosen, columns = [], []
    for trials in trained.values():
        choice = choose([[cost(value) for value in values] for _, values in trials], choosing)
        chosen.append(trials[choice.index][0])
        columns.append(choice.costs)
    costs = np.stack(columns, axis=1)
    return Comparison(
        chosen=tuple(chosen),
        values=np.array([[cost(one) for one in row] for row in costs.tolist()]),
        costs=costs,
        choosing=choosing,
        configurations=tuple(len(trials) for trials in trained.values()),
    )


def differences_to_the_first(comparison: Comparison) -> Differences:
    """Compare every variant with the one that has the best mean rank."""
    test = comparison.test()
    order = tuple(sorted(range(len(comparison.variants)), key=lambda i: test.mean_ranks[i]))
    pairs = {i: AllPairs(comparison.values[:, [i, order[0]]].T) for i in order[1:]}
    return Differences(test, order, {i: pair.difference(0, 1) for i, pair in pairs.items()})


def values_by_repeat(results: Results, trial: TrialRecord) -> list[float]:
    """The first objective at the best epoch of every repeat that has one; the trial's value is their mean."""
    return results.best_values.of(trial.run_id)


def _repeated(results: Results, variant: str) -> list[tuple[TrialRecord, list[float]]]:
    """The variant's complete trials with a value under every seed."""
    trials = ((trial, values_by_repeat(results, trial)) for trial in results.complete_of(variant))
    return [(trial, values) for trial, values in trials if len(values) == results.study.definition.repeats]
