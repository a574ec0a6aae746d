"""The trials of an earlier study, as a sampler learns from them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.optuna.seen import SeeingSampler, seen
from search_spaces.resolution import resolved
from search_spaces.shape import StudyShape

EARLIER = "earlier"  # the attribute of a trial of an earlier study
_BEGAN = datetime(1970, 1, 1)


class WithHistory(SeeingSampler):
    """A sampler that knows an earlier study's trials, before those of its own."""

    def __init__(self, base: BaseSampler, history: Sequence[FrozenTrial]) -> None:
        super().__init__(base)
        self._history = history

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        return seen(study, lambda trials: [*self._history, *trials]), trial


def history_of(definition: StudyShape, records: Iterable[Mapping[str, Any]]) -> list[FrozenTrial]:
    """The trials that the records tell of, in their order.

    A record is of a whole trial in this space (see `search_spaces.resolution.is_whole`). It has "params", "values" (one
    for each objective; a pruned trial has its last report) and "step" (of that report; null of a complete trial).
    """
    several = list(records)
    return [_frozen(definition, record, place - len(several)) for place, record in enumerate(several)]


def is_earlier(trial: FrozenTrial) -> bool:
    """Whether the trial is one of an earlier study."""
    return EARLIER in trial._user_attrs


def _frozen(definition: StudyShape, record: Mapping[str, Any], number: int) -> FrozenTrial:
    """The record's trial, with a number below those of the study's own trials."""
    distributions: dict[str, BaseDistribution] = {}

    def answer(parameter: str, dimension: Dimension) -> Value:
        distributions[parameter] = distribution_of(dimension)
        value: Value = record["params"][parameter]
        return value

    drawn = resolved(definition, answer)
    step, values = record["step"], record["values"]
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.COMPLETE if step is None else TrialState.PRUNED,
        value=None,
        values=values if step is None else None,
        datetime_start=_BEGAN,
        datetime_complete=_BEGAN,
        params={name: drawn[name] for name in distributions},
        distributions=distributions,
        user_attrs={EARLIER: True},
        system_attrs={},
        intermediate_values={} if step is None else {step: values[0]},
    )


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Optuna's distribution of the dimension, the one that `suggestion.ask` asks for."""
    if isinstance(dimension, CategoricalDimension):
        return CategoricalDistribution(dimension.choices)
    if isinstance(dimension, FloatDimension):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
