"""The variants of a study, the best first."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces import Objective
from search_spaces.race import contenders
from service.reports.found.pareto import front_numbers
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState

TOP = 3  # trials in a variant's mean_of_top
FEW = 1 / 3  # of the most complete trials that a variant of the study has: with fewer it may have lost for want of them
LEAST = 2  # complete trials: one is chance


@dataclass(frozen=True)
class RankingRow:
    """A variant's results in a study."""

    rank: int  # 1 is best; variants without a complete trial come last
    variant: str
    trials: int  # complete ones
    pruned: int
    best_values: list[float] | None  # of its best trial, one per objective
    mean_of_top: float | None  # mean first objective of its best TOP complete trials: less luck than the best
    best_params: Mapping[str, Any] | None
    best_number: int | None
    begun: int  # trials of any state
    epochs: int  # trained in all of them, over all their seeds
    few: bool  # whether it may have lost for want of trials: see `_having_few`


def ranking(
    study: StudyRecord, trials: Sequence[TrialRecord], best_first: Sequence[TrialRecord] | None = None
) -> list[RankingRow]:
    """Rank the variants by their best complete trial.

    With several objectives a trial comes before every trial of a later non-dominated front, and within a front
    the first objective decides. `best_first` is `in_order` of the same trials, where that is known.
    """
    best_first = in_order(study, trials) if best_first is None else best_first
    variants = {trial.variant for trial in trials if trial.variant}
    reached = {variant: list[TrialRecord]() for variant in variants} | by_variant(best_first)
    place = {trial.run_id: place for place, trial in enumerate(best_first)}
    last = len(best_first)

    def rank_key(variant: str) -> tuple[int, str]:
        return (place[reached[variant][0].run_id] if reached[variant] else last, variant)

    had, few = by_variant(trials), _having_few(study, reached)
    return [
        _row(rank, variant, reached[variant], had[variant], variant in few)
        for rank, variant in enumerate(sorted(variants, key=rank_key), start=1)
    ]


def by_variant(trials: Iterable[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """The trials of every variant, in their order."""
    found: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(trial.variant, []).append(trial)
    return found


def in_order(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The complete trials with finite values, the best first; equal ones in the order of the search."""
    complete = [trial for trial in trials if trial.state is RunState.COMPLETE and is_finite(trial)]
    costs = [costs_of(study.definition.objectives, trial) for trial in complete]
    fronts = front_numbers(costs)
    order = sorted(
        range(len(complete)), key=lambda i: (fronts[i], costs[i], complete[i].number or 0, complete[i].run_id)
    )
    return [complete[i] for i in order]


def pareto_front(study: StudyRecord, best_first: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Those of the trials `in_order` that no other dominates, by the first objective; [] with a single objective."""
    objectives = study.definition.objectives
    if len(objectives) == 1:
        return []
    numbers = front_numbers([costs_of(objectives, trial) for trial in best_first])
    return [trial for trial, number in zip(best_first, numbers, strict=True) if number == 0]


def is_finite(trial: TrialRecord) -> bool:
    return trial.values is not None and all(math.isfinite(value) for value in trial.values)


def costs_of(objectives: Sequence[Objective], trial: TrialRecord) -> tuple[float, ...]:
    """The trial's values with the sign that makes less better."""
    return tuple(objective.cost(value) for objective, value in zip(objectives, trial.values or (), strict=True))


def _having_few(study: StudyRecord, reached: Mapping[str, Sequence[TrialRecord]]) -> set[str]:
    """The variants that may have lost for want of trials.

    They have fewer than a third of the most complete trials of a variant, or fewer than two, although they have
    configurations that were not trained to the end.
    """
    most = max(map(len, reached.values()), default=0)
    few = {name for name, trials in reached.items() if len(trials) < most and len(trials) < max(LEAST, FEW * most)}
    if not few:
        return few
    sizes = {each.variant: each.size for each in contenders(study.definition)}
    tried = {name: len({repr(sorted(trial.params.items())) for trial in reached[name]}) for name in few}
    return {name for name in few if tried[name] < sizes.get(name, math.inf)}


def _row(
    rank: int, variant: str, best_first: Sequence[TrialRecord], had: Sequence[TrialRecord], few: bool
) -> RankingRow:
    """The row of a variant that had these trials."""
    best = best_first[0] if best_first else None
    top = [trial.values[0] for trial in best_first[:TOP] if trial.values]
    return RankingRow(
        rank=rank,
        variant=variant,
        trials=len(best_first),
        pruned=sum(trial.state is RunState.PRUNED for trial in had),
        best_values=best.values if best else None,
        mean_of_top=math.fsum(top) / len(top) if top else None,
        best_params=best.params if best else None,
        best_number=best.number if best else None,
        begun=len(had),
        epochs=sum(trial.epoch for trial in had),
        few=few,
    )
