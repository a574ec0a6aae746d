"""From epochs to a study's objective values: the best epoch of every repeat, averaged over repeats."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from search_spaces import Objective
from search_spaces.objective import measured_as


@dataclass(frozen=True)
class EpochDone:
    """One epoch of one repeat; `metrics` by "<split>_<metric>"."""

    repeat: int  # from 0
    epoch: int  # from 1
    metrics: Mapping[str, float]


class UnusableEpoch(RuntimeError):
    """An epoch that cannot be recorded; the message says why, in one line."""


class UnusableObjective(UnusableEpoch):
    """An epoch does not have the objective's metric, or it is not a finite number."""


@dataclass(frozen=True)
class _Best:
    """The best epoch of a repeat."""

    epoch: int
    value: float  # of the first objective, which makes it the best
    counted: list[float]  # one per objective


class Progress:
    """The objectives so far. The first objective decides which epoch is the best, the others are read there.

    With `on_test` the values are the objectives' metrics on the test split at that epoch, where it has them. That split
    does not decide which epoch is the best.
    """

    def __init__(self, objectives: Sequence[Objective], *, on_test: bool = False) -> None:
        self._objectives, self._on_test = objectives, on_test
        self._best: dict[int, _Best] = {}  # by repeat

    def add(self, repeat: int, epoch: int, metrics: Mapping[str, float]) -> list[float]:
        """Add an epoch and return its objective values.

        Raises:
            UnusableObjective: a metric is missing or not finite.
        """
        values = [_value(objective, epoch, metrics) for objective in self._objectives]
        best = self._best.get(repeat)
        if self._objectives[0].is_better(values[0], None if best is None else best.value):
            self._best[repeat] = _Best(epoch, values[0], self._counted(values, metrics))
        return values

    @property
    def values(self) -> list[float]:
        """Each objective's mean over the repeats; [] before the first epoch."""
        return [fmean(column) for column in zip(*(best.counted for best in self._best.values()), strict=True)]

    @property
    def flaw(self) -> str | None:
        """The reason why the values are not a result: a best epoch's test is not finite. None if they are a result."""
        for objective, value in zip(self._objectives, self.values, strict=False):
            if not math.isfinite(value):
                return f"{objective.tested} is {value} at the best epoch: lower the learning rate"
        return None

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of the first repeat."""
        return self.best_epoch_of(0)

    def best_epoch_of(self, repeat: int) -> int | None:
        """The best epoch of a repeat, None before its first."""
        return self._best[repeat].epoch if repeat in self._best else None

    def of_repeat(self, repeat: int) -> float:
        """The first objective of a repeat at its best epoch."""
        return self._best[repeat].value

    def _counted(self, values: list[float], metrics: Mapping[str, float]) -> list[float]:
        if not self._on_test:
            return values
        return [metrics.get(o.tested, value) for o, value in zip(self._objectives, values, strict=True)]


def _value(objective: Objective, epoch: int, metrics: Mapping[str, float]) -> float:
    value = objective.of(metrics)
    if value is None:
        raise UnusableObjective(f"objective {objective.metric} is not among the task's metrics {sorted(metrics)}")
    if not math.isfinite(value):
        raise UnusableObjective(f"objective {objective.metric} became {value} in epoch {epoch}: {_remedy(metrics)}")
    return value


def _remedy(metrics: Mapping[str, float]) -> str:
    losses = [value for name, value in metrics.items() if measured_as(name)[1].endswith("_loss")]
    if losses and all(map(math.isfinite, losses)):
        return "the epoch's losses are finite, so mend how this metric is computed"
    return "lower the learning rate"
