"""Learning curves by trial: what every epoch measured, one repeat at a time or their mean."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search_spaces.objective import metric_name
from service.storage.records import CurvePoint


@dataclass(frozen=True)
class Epoch:
    """One epoch of one repeat, or the mean of several repeats' epoch."""

    number: int  # 1-based
    metrics: Mapping[str, float]  # by "<split>_<metric>"


def by_repeat(points: Iterable[CurvePoint]) -> dict[int, list[Epoch]]:
    """Every repeat's epochs in order."""
    measured: dict[int, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for point in points:
        measured[point.repeat][point.epoch][metric_name(point.split, point.metric)] = point.value
    return {
        repeat: [Epoch(number, epochs[number]) for number in sorted(epochs)]
        for repeat, epochs in sorted(measured.items())
    }


def mean_epochs(points: Iterable[CurvePoint]) -> list[Epoch]:
    """Every epoch's mean over the repeats that reached it."""
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        values[point.epoch][metric_name(point.split, point.metric)].append(point.value)
    return [
        Epoch(number, {name: math.fsum(several) / len(several) for name, several in values[number].items()})
        for number in sorted(values)
    ]
