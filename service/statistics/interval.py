"""A confidence interval for the mean of a few values, one per seed."""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.statistics.laws import student_quantile

CONFIDENCE = 0.95
BOOTSTRAP_FROM = 10  # values
RESAMPLES = 9_999
ROUNDING = 1e-12  # relative
SINGLE = 1e-6  # relative: figures that single precision has computed are no finer
THINNEST_TAIL = 0.0025  # of the resamples, some 25: fewer do not place a quantile


class Method(StrEnum):
    """The method that computed an interval."""

    STUDENT = "Student's t"
    BOOTSTRAP = "studentized bootstrap"
    MODERATED = "moderated t"


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a mean."""

    low: float
    high: float
    method: Method

    @property
    def is_point(self) -> bool:
        """Whether it has no length: all values are equal, which says nothing of how far chance moves them."""
        return self.low == self.high

    @property
    def is_known(self) -> bool:
        """Whether there are bounds: of one seed, or before the first look, nothing is known."""
        return math.isfinite(self.high - self.low)


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE, step: float = 0.0) -> Interval:
    """The interval of the mean of independent values.

    For fewer than 10 values it is Student's t interval, for 10 or more the studentized bootstrap (bootstrap-t: Efron
    1981, Hall 1988), drawn from a fixed seed so that it is reproducible. The reasons: with five values the percentile
    and BCa bootstraps cover the mean in about 80 % of cases instead of 95, because the values understate the spread;
    the studentized bootstrap covers it, but at 1.4 times the length, and with three values its length is infinite.
    Student's t is exact for normal values and covers more than it says for symmetric ones with heavy tails;
    differences between variants that are alike are symmetric. From ten values on the studentized bootstrap is hardly
    longer, and it covers better where values are skewed. docs/statistics.md has the figures, measured by
    benchmarks/seeds.py.

    It is Student's t also in two other cases: if nearly all values are equal, some resamples have no spread; and a
    confidence above 99.5 % (one interval of many that must hold together) leaves too few resamples beyond its bounds.

    Figures such as an accuracy have few values, so all may be equal by chance. `step` is the least step between such
    figures: the values have the variance, at the least, that they would have if one of them were a step off. If all
    are equal and no step is known, the interval is a point, which says nothing.

    Raises:
        ValueError: fewer than 2 values.
    """
    given = np.asarray(values, dtype=np.float64)
    count = len(given)
    if count < 2:
        raise ValueError(f"an interval of a mean needs at least 2 values, got {count}")
    mean, deviation, least = float(given.mean()), float(given.std(ddof=1)), step / math.sqrt(count)
    if np.ptp(given) <= ROUNDING * np.abs(given).max():
        deviation = 0.0
        if not step:
            return Interval(mean, mean, Method.STUDENT)
    is_steady = deviation < (1 - SINGLE) * least
    error = (least if is_steady else deviation) / np.sqrt(count)
    tail = (1 - confidence) / 2
    resampled = count >= BOOTSTRAP_FROM and tail >= THINNEST_TAIL and not is_steady
    drawn = _studentized(given) if resampled else None
    if drawn is None:
        reach = student_quantile(1 - tail, count - 1) * error
        return Interval(mean - reach, mean + reach, Method.STUDENT)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(mean - high * error), float(mean - low * error), Method.BOOTSTRAP)


def _studentized(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Each resample's mean around the values' mean, in its own standard errors; None if one has no spread."""
    resamples = values[_indices(len(values))]  # (RESAMPLES, values)
    errors = resamples.std(axis=1, ddof=1) / np.sqrt(len(values))
    if errors.min() <= 1e-12 * errors.max():
        return None
    return np.asarray((resamples.mean(axis=1) - values.mean()) / errors)


@lru_cache(maxsize=8)
def _indices(count: int) -> NDArray[np.int64]:
    """The indices of every resample's values (RESAMPLES, count), drawn with replacement."""
    return np.random.default_rng(0).integers(0, count, size=(RESAMPLES, count))
