"""Two variants under the same seeds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.statistics.interval import CONFIDENCE, Interval, mean_interval


@dataclass(frozen=True)
class PairedDifference(Interval):
    """One variant's values minus another's, seed by seed, with the interval of their mean."""

    mean: float
    effect: float  # Hedges' g of the differences: mean / standard deviation, corrected for few pairs
    lower: int  # seeds under which the first variant's value is the lower one
    higher: int
    seeds: int  # that both have


def paired_difference(first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE) -> PairedDifference:
    """Compare the values of two variants, one per shared seed and in the same order.

    The interval is `mean_interval` of the differences over whole seeds. The effect is infinite if all differences are
    equal and not zero.

    Raises:
        ValueError: fewer than 2 pairs.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if len(differences) < 2:
        raise ValueError(f"a paired difference needs at least 2 seeds, got {len(differences)}")
    return described(differences, mean_interval(differences, confidence))


def described(differences: NDArray[np.float64], interval: Interval, deviation: float = 0.0) -> PairedDifference:
    """Summarize the differences under the seeds, with this interval of their mean; `deviation` is their least one."""
    return PairedDifference(
        mean=float(differences.mean()),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        effect=_hedges_g(differences, deviation),
        lower=int((differences < 0).sum()),
        higher=int((differences > 0).sum()),
        seeds=len(differences),
    )


def _hedges_g(differences: NDArray[np.float64], least: float) -> float:
    """Hedges 1981: the factor removes the bias of a standard deviation of few values. nan for a single pair."""
    if len(differences) < 2:
        return math.nan
    mean, freedom = float(differences.mean()), len(differences) - 1
    deviation = max(float(differences.std(ddof=1)), least)
    if deviation <= 1e-12 * abs(mean):
        return math.copysign(math.inf, mean) if mean else 0.0
    return (1 - 3 / (4 * freedom - 1)) * mean / deviation
