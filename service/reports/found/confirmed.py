"""What the confirmation measured: the best configurations, trained again under seeds that chose nothing."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, takewhile
from statistics import fmean

import numpy as np

from search_spaces.objective import TEST, Objective, best_epoch, split_of
from service.reports.found.configurations import configurations
from service.reports.found.decided import has_decision, is_broken, looks_of, recommended, renumbered, replayed
from service.reports.found.epochs import Epoch
from service.reports.found.results import Results
from service.statistics import AllPairs, Decision, Interval, Method, PairedDifference, mean_interval
from service.statistics.coarse import Steps
from service.statistics.paired import described
from service.storage.records import TrialRecord, seeds_of
from service.storage.states import RunState

Span = tuple[float, float, float]  # a difference with the bounds of its interval


@dataclass(frozen=True)
class Confirmed:
    """One configuration's figures by metric, each with one value a seed."""

    trial: TrialRecord  # the configuration's first run
    figures: Mapping[str, tuple[float, ...]]
    steps: Mapping[str, float] = field(default_factory=dict)  # that a seed's figure may be off by chance, where known

    @property
    def seeds(self) -> int:
        """The number of seeds; a configuration that was dropped has fewer than others."""
        return len(next(iter(self.figures.values())))

    @property
    def is_finite(self) -> bool:
        """Whether the first metric, which decides, is finite under every seed."""
        return all(map(math.isfinite, next(iter(self.figures.values()))))

    def up_to(self, seeds: int | None) -> "Confirmed":
        """This configuration under the first `seeds` seeds; None is all of them."""
        return replace(self, figures={name: values[:seeds] for name, values in self.figures.items()})

    def mean(self, metric: str) -> float:
        """The mean over the seeds, rounded once: equal values in another order have the same mean, as in the queue."""
        values = self.figures[metric]
        return fmean(values) if all(map(math.isfinite, values)) else float(np.mean(values))

    def interval(self, metric: str) -> Interval | None:
        """The interval of the mean over seeds, of this configuration alone; None where it has one seed.

        None, too, where every seed has the same figure and nothing shows the step between such figures.
        A run that claims several seeds may have reported one: an own loop's, or one of a database that was mended.
        """
        figures = self.figures[metric]
        around = mean_interval(figures, step=self.steps.get(metric, 0.0)) if len(figures) > 1 else None
        return None if around is None or around.is_point else around


@dataclass(frozen=True)
class Confirmation:
    """The confirmed configurations, the best by mean `metric` first.

    All of a confirmation with a fixed number of seeds were trained under the same ones, and `decision` is None. One
    that goes on until it is decided, or that was extended, has a decision. Those that it dropped stand behind those
    that are left, the last dropped first, and have only the first of the shared seeds. The figures of one that is not
    decided yet are those that its last look saw.
    """

    metric: str  # "test_loss"; on the validation split where the task has no other
    metrics: tuple[str, ...]  # those of the same split that every configuration has, `metric` first
    maximize: bool
    found: tuple[Confirmed, ...]
    decision: Decision | None = None  # its numbers are places in `compared`
    out: tuple[Confirmed, ...] = ()  # compared at a look, then diverged or failed; only with a decision
    named: int = 0  # the place in `found` of the configuration that is recommended

    @property
    def winner(self) -> Confirmed:
        """The best by its mean; of several that are practically equal the recommended one."""
        return self.found[self.named]

    @property
    def seeds(self) -> int:
        return self.winner.seeds

    @property
    def compared(self) -> tuple[Confirmed, ...]:
        """Every configuration that the decision knows."""
        return (*self.found, *self.out)

    @property
    def left(self) -> tuple[int, ...]:
        """The places in `found` of those that no look has dropped: all of them where there was none."""
        return tuple(range(len(self.found))) if self.decision is None else self.decision.left

    @cached_property
    def dropped_after(self) -> Mapping[int, int]:
        """The seeds after which a look dropped a configuration, or found that it had diverged, by its place."""
        rounds = () if self.decision is None else self.decision.rounds
        return {place: one.seeds for one in rounds for place in (*one.dropped, *one.diverged)}

    @property
    def looked(self) -> int:
        """The seeds of the last look; 0 before the first one."""
        return self.decision.rounds[-1].seeds if self.decision is not None and self.decision.rounds else 0

    @property
    def is_tested(self) -> bool:
        """Whether the figures are of a split that chose nothing, not even the epoch."""
        return split_of(self.metric) == TEST

    @cached_property
    def to_winner(self) -> tuple[PairedDifference, ...]:
        """Every other configuration's values minus the first's, seed by seed, in the order of `found`.

        The intervals hold for all pairs of configurations at once, so for those with the winner, whichever it is. With
        a decision they are of the last look that compared the configuration, to the best of the others at that look,
        and hold for all configurations and looks at once; they are infinite where there was no such look.
        """
        others = range(1, len(self.found))
        if self.decision is None:
            pairs = AllPairs(np.array([one.figures[self.metric] for one in self.found]))
            return tuple(pairs.difference(other, 0) for other in others)
        return tuple(self._to_best(other) for other in others)

    @property
    def methods(self) -> list[str]:
        """How the means' intervals were computed, in alphabetical order; none where everyone has one seed."""
        known = (one.interval(self.metric) for one in self.found)
        return sorted({str(each.method) for each in known if each is not None})

    def spans(self, place: int) -> Iterator[tuple[int, Span]]:
        """The seeds of every look that bounded a configuration's difference to the best of the others, and that."""
        for one in () if self.decision is None else self.decision.rounds:
            bound = one.bounds.get(place)
            if bound is not None and math.isfinite(bound.low) and math.isfinite(bound.high):
                span = (bound.difference, bound.low, bound.high)
                yield one.seeds, (-span[0], -span[2], -span[1]) if self.maximize else span

    def _to_best(self, place: int) -> PairedDifference:
        *_, (_, span) = ((0, (math.nan, -math.inf, math.inf)), *self.spans(place))
        best, own = self.found[0].figures[self.metric], self.found[place].figures[self.metric]
        seeds = min(len(best), len(own))
        differences = np.subtract(own[:seeds], best[:seeds])
        method = Method.STUDENT if len(self.compared) == 2 else Method.MODERATED
        shown = described(differences, Interval(span[1], span[2], method))
        return shown if math.isnan(span[0]) else replace(shown, mean=span[0])


def confirmation_of(results: Results) -> Confirmation | None:
    """The confirmation so far; None before its first run is complete.

    A configuration is left out if its figure is missing or not finite under some seed.
    """
    several = configurations(results.study.definition, results.confirmations)
    if has_decision(results.study):
        return _decided(results, [runs for runs in several if runs[0].state is RunState.COMPLETE])
    measured = [(runs[0], _at_the_best(results, runs)) for runs in several if runs[0].state is RunState.COMPLETE]
    whole = [
        (trial, epochs) for trial, epochs in measured if len(epochs) == len(seeds_of(results.study.definition, trial))
    ]
    fully = [(trial, epochs) for trial, epochs in whole if None not in epochs]
    metrics, each = _figures(results, fully)
    found = [one for one in each if one.is_finite]
    if not found:
        return None
    objective = results.objective
    found.sort(key=lambda one: (objective.cost(one.mean(metrics[0])), one.trial.run_id))
    return Confirmation(metrics[0], metrics, objective.maximizes, tuple(found))


def _figures(
    results: Results, measured: Sequence[tuple[TrialRecord, Sequence[Epoch | None]]]
) -> tuple[tuple[str, ...], list[Confirmed]]:
    """The metrics that all epochs have, of one split and the one that decides first, and everyone's figures."""
    objective, every = results.objective, [epoch for _, epochs in measured for epoch in epochs if epoch is not None]
    shared = set(every[0].metrics).intersection(*(epoch.metrics for epoch in every)) if every else set[str]()
    metric = objective.tested if objective.tested in shared else objective.metric
    others = sorted(name for name in shared if split_of(name) == split_of(metric) and name != metric)
    metrics = (metric, *others)
    figures = [
        {name: tuple(_measured(objective, epoch, name) for epoch in epochs) for name in metrics}
        for _, epochs in measured
    ]
    steps = {name: Steps([each[name] for each in figures]) for name in metrics}
    return metrics, [
        Confirmed(trial, each, {name: steps[name].of(each[name]) for name in metrics})
        for (trial, _), each in zip(measured, figures, strict=True)
    ]


def _measured(objective: Objective, epoch: Epoch | None, name: str) -> float:
    """The metric at the epoch; a model that predicts in one pass may have the objective under its plain name alone."""
    found = None if epoch is None else epoch.metrics.get(name, objective.of(epoch.metrics))
    return math.nan if found is None else found


def _decided(results: Results, several: Sequence[Sequence[TrialRecord]]) -> Confirmation | None:
    """The configurations as the last look saw them, those that are left first, then the last dropped.

    `several` are the runs of each. One that lost a run before the first look has no part in it.
    """
    study, objective = results.study, results.objective
    measured = [(runs, _at_the_best(results, runs)) for runs in several]
    looks = looks_of(study, max((len(epochs) for _, epochs in measured), default=0))
    first = looks[0] if looks else 0
    part = [(runs, epochs) for runs, epochs in measured if epochs and (len(epochs) >= first or not is_broken(runs))]
    broken = {place for place, (runs, _) in enumerate(part) if is_broken(runs)}
    metrics, each = _figures(results, [(runs[0], epochs) for runs, epochs in part])
    metric = metrics[0]
    seen = [one.up_to(looks[-1] if looks else None) for one in each]
    costs = [[objective.cost(value) for value in one.figures[metric]] for one in seen]
    decision = replayed(study, costs, looks, [one.trial for one in seen], broken)
    dropped_at = {place: at for at, one in enumerate(decision.rounds) for place in one.dropped}

    def rank(place: int) -> tuple[float, ...]:
        if place in decision.left and looks:
            return -math.inf, decision.left.index(place)
        return -dropped_at.get(place, len(looks)), float(np.mean(costs[place])), seen[place].trial.run_id

    behind = {place for place in range(len(seen)) if looks and len(costs[place]) < looks[-1]}
    lost = behind - dropped_at.keys() - {*decision.left}  # since a look that compared them
    finite = [place for place, one in enumerate(seen) if one.is_finite and place not in lost]
    order = sorted(finite, key=rank)
    if not order:
        return None
    out = [place for place in range(len(seen)) if place not in finite]
    decision = renumbered(decision, {old: new for new, old in enumerate((*order, *out))})
    found = tuple(seen[place] for place in order)
    named = recommended(study, decision, [one.trial for one in found])
    return Confirmation(
        metric, metrics, objective.maximizes, found, decision, tuple(seen[place] for place in out), named
    )


def _at_the_best(results: Results, runs: Sequence[TrialRecord]) -> list[Epoch | None]:
    """Each seed's best epoch by the objective, in the order of the seeds, up to the first run that is not complete.

    The test split has no part in it. None stands for a training without a finite one.
    """
    complete = takewhile(lambda run: run.state is RunState.COMPLETE, runs)
    every = chain.from_iterable(results.epochs.of(run.run_id).values() for run in complete)
    return [best_epoch(epochs, results.objective) for epochs in every]
