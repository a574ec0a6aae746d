"""What the confirmation measured: the best configurations, trained again under seeds that chose nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from search_spaces.objective import TEST, Objective, best_epoch, split_of
from service.reports.found.epochs import Epoch
from service.reports.found.results import Results
from service.statistics import AllPairs, Interval, PairedDifference, mean_interval
from service.storage.records import TrialRecord
from service.storage.states import RunState


@dataclass(frozen=True)
class Confirmed:
    """One configuration's figures by metric, each with one value a seed."""

    trial: TrialRecord
    figures: Mapping[str, tuple[float, ...]]

    def mean(self, metric: str) -> float:
        return float(np.mean(self.figures[metric]))

    def interval(self, metric: str) -> Interval:
        """The interval of the mean over seeds, of this configuration alone."""
        return mean_interval(self.figures[metric])


@dataclass(frozen=True)
class Confirmation:
    """The confirmed configurations, the best by mean `metric` first; all were trained under the same seeds."""

    metric: str  # "test_loss"; on the validation split where the task has no other
    metrics: tuple[str, ...]  # those of the same split that every configuration has, `metric` first
    maximize: bool
    found: tuple[Confirmed, ...]

    @property
    def winner(self) -> Confirmed:
        return self.found[0]

    @property
    def seeds(self) -> int:
        return len(self.winner.figures[self.metric])

    @property
    def is_tested(self) -> bool:
        """Whether the figures are of a split that chose nothing, not even the epoch."""
        return split_of(self.metric) == TEST

    @cached_property
    def to_winner(self) -> tuple[PairedDifference, ...]:
        """Every other configuration's values minus the winner's, seed by seed, in the order of `found`.

        The intervals hold for all pairs of configurations at once, so for those with the winner, whichever it is.
        """
        pairs = AllPairs(np.array([one.figures[self.metric] for one in self.found]))
        return tuple(pairs.difference(other, 0) for other in range(1, len(self.found)))


def confirmation_of(results: Results) -> Confirmation | None:
    """The confirmation so far; None before its first run is complete.

    A run is left out if its figure is not finite under some seed.
    """
    objective = results.objective
    measured = [
        (trial, _at_the_best(results, trial, objective))
        for trial in results.confirmations
        if trial.state is RunState.COMPLETE
    ]
    fully = [(trial, epochs) for trial, epochs in measured if len(epochs) == _seeds(results)]
    if not fully:
        return None
    shared = set.intersection(*(set(epoch.metrics) for _, epochs in fully for epoch in epochs))
    metric = objective.tested if objective.tested in shared else objective.metric
    others = sorted(name for name in shared if split_of(name) == split_of(metric) and name != metric)
    metrics = (metric, *others)
    figures = [
        (trial, {name: tuple(epoch.metrics[name] for epoch in epochs) for name in metrics}) for trial, epochs in fully
    ]
    found = [Confirmed(trial, values) for trial, values in figures if all(map(math.isfinite, values[metric]))]
    if not found:
        return None
    found.sort(key=lambda one: (objective.cost(one.mean(metric)), one.trial.run_id))
    return Confirmation(metric, metrics, objective.maximizes, tuple(found))


def _seeds(results: Results) -> int:
    confirmation = results.study.definition.confirmation
    return 0 if confirmation is None else confirmation.repeats


def _at_the_best(results: Results, trial: TrialRecord, objective: Objective) -> list[Epoch]:
    """Each repeat's best epoch by the objective; the test split has no part in it."""
    repeats = results.epochs.of(trial.run_id).values()
    best = (best_epoch(epochs, objective) for epochs in repeats)
    return [epoch for epoch in best if epoch is not None]
