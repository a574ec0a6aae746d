"""From epochs to a study's objective values: the best epoch of every repeat, averaged over repeats."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from search_spaces import Objective


class UnusableObjective(RuntimeError):
    """An epoch does not have the objective's metric, or it is not a finite number."""


class Progress:
    """The objectives so far. The first objective says which epoch is the best, the others are read there."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        self._best: dict[int, tuple[int, list[float]]] = {}  # repeat -> (epoch, values)

    def add(self, repeat: int, epoch: int, metrics: Mapping[str, float]) -> list[float]:
        """Take an epoch in and return its objective values.

        Raises:
            UnusableObjective: a metric is missing or not finite.
        """
        values = [self._value(objective.metric, epoch, metrics) for objective in self._objectives]
        best = self._best.get(repeat)
        if best is None or self._is_better(values[0], best[1][0]):
            self._best[repeat] = (epoch, values)
        return values

    @property
    def values(self) -> list[float]:
        """Each objective's mean over the repeats."""
        return [fmean(column) for column in zip(*(values for _, values in self._best.values()), strict=True)]

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of the first repeat."""
        return self._best[0][0] if 0 in self._best else None

    def of_repeat(self, repeat: int) -> float:
        """The first objective of a repeat at its best epoch."""
        return self._best[repeat][1][0]

    def _is_better(self, value: float, than: float) -> bool:
        return value > than if self._objectives[0].direction == "maximize" else value < than

    @staticmethod
    def _value(metric: str, epoch: int, metrics: Mapping[str, float]) -> float:
        if metric not in metrics:
            raise UnusableObjective(f"objective {metric} is not among the task's metrics {sorted(metrics)}")
        value = metrics[metric]
        if not math.isfinite(value):
            raise UnusableObjective(f"objective {metric} became {value} in epoch {epoch}: lower the learning rate")
        return value
