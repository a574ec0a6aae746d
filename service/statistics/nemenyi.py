"""Nemenyi's comparison of all pairs after Friedman's test, as in Demsar 2006 (JMLR 7)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.statistics.friedman import Friedman
from service.statistics.laws import range_quantile, range_tail


def critical_difference(blocks: int, variants: int, alpha: float = 0.05) -> float:
    """The least significant difference of two mean ranks at level alpha: q / sqrt(2) * sqrt(k (k + 1) / (6 n)).

    q is the upper alpha point of the studentized range of k values with infinitely many degrees of freedom.
    """
    q = range_quantile(alpha, variants)
    return q / math.sqrt(2) * _unit(blocks, variants)


def pairwise_p(mean_ranks: Sequence[float], blocks: int) -> NDArray[np.float64]:
    """The (k, k) p-values of all pairs, corrected for their number; 1 on the diagonal."""
    ranks = np.asarray(mean_ranks, dtype=np.float64)
    ranges = np.abs(ranks[:, None] - ranks[None, :]) * math.sqrt(2) / _unit(blocks, len(ranks))
    return np.array([[range_tail(float(one), len(ranks)) for one in row] for row in ranges])


def protected_p(test: Friedman) -> NDArray[np.float64]:
    """The (k, k) p-values of all pairs after Friedman's test: none is below that test's own.

    Nemenyi's are of infinitely many blocks. Of two variants under five seeds that all agree, it has 0.025, and chance
    alone does that in 1 of 16 cases, as the test's permutations say.
    """
    return np.maximum(pairwise_p(test.mean_ranks, test.blocks), test.p_value)


def indistinct_groups(mean_ranks: Sequence[float], difference: float) -> list[tuple[int, ...]]:
    """The largest sets of variants that lie within the critical difference, as indices, the best set first.

    Variants in no set of two or more are left out.
    """
    order = sorted(range(len(mean_ranks)), key=lambda i: mean_ranks[i])
    groups: list[tuple[int, ...]] = []
    for start, first in enumerate(order):
        group = tuple(i for i in order[start:] if mean_ranks[i] - mean_ranks[first] <= difference)
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups


def _unit(blocks: int, variants: int) -> float:
    """The standard error of a mean rank's difference, up to sqrt(2)."""
    return math.sqrt(variants * (variants + 1) / (6 * blocks))
