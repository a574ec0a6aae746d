"""Quantiles and tails of the laws that the tests use, by scipy's special functions.

`scipy.stats` and `scipy.optimize` have them too, and take most of a second to import, which every server and the last
worker of a study would wait for.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_REACH = 8.5  # standard deviations: the normal density beyond them is below 1e-16
_POINTS = 512  # of the trapezoidal rule, whose error falls exponentially for smooth functions that vanish at both ends


def student_quantile(share: float, freedom: float) -> float:
    """The point that Student's t is below with probability `share`, in (0, 1); `freedom` > 0 may be infinite."""
    return float(special.ndtri(share) if math.isinf(freedom) else special.stdtrit(freedom, share))


def normal_quantile(share: float) -> float:
    """The point that a standard normal value is below with probability `share`, in (0, 1)."""
    return float(special.ndtri(share))


def chi2_tail(point: float, freedom: float) -> float:
    """The probability that chi-squared is above the point."""
    return float(special.chdtrc(freedom, point))


def noncentral_student_tail(point: float, freedom: float, shift: float) -> float:
    """The probability that noncentral t is above the point; `shift` is its noncentrality."""
    tail = float(1 - special.nctdtr(freedom, shift, point))
    if 0.0 <= tail <= 1.0:
        return tail
    from scipy import stats  # that function has holes: it is not a number at some ordinary points

    return float(stats.nct.sf(point, freedom, shift))


def range_tail(point: float, values: int) -> float:
    """The probability that the range of so many independent standard normal values is above the point, in [0, 1].

    That is the studentized range with infinitely many degrees of freedom. The absolute error is below 1e-12.
    """
    if point <= 0:
        return 1.0
    lowest = np.linspace(-_REACH - point, _REACH, _POINTS)  # of the values
    inside = np.exp((values - 1) * np.log(np.maximum(special.ndtr(lowest + point) - special.ndtr(lowest), 1e-300)))
    density = np.exp(-(lowest**2) / 2) / math.sqrt(2 * math.pi)
    covered = values * float((density * inside).sum()) * float(lowest[1] - lowest[0])
    return min(1.0, max(0.0, 1 - covered))


def range_quantile(tail: float, values: int) -> float:
    """The point that the range of so many standard normal values exceeds with probability `tail`, in (0, 1)."""
    return root(lambda point: range_tail(point, values) - tail, 0.0, 4 * _REACH)


def ranks(table: Floats) -> Floats:
    """The ranks, from 1, along the last axis; equal values share the mean of theirs."""
    below = (table[..., None, :] < table[..., :, None]).sum(axis=-1)
    alike = (table[..., None, :] == table[..., :, None]).sum(axis=-1)
    return np.asarray(below + (alike + 1) / 2)


def root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls from `low` to `high` passes 0, to the last bit: by halving."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high
