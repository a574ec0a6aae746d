"""Friedman's test by its permutation distribution: chi-squared is inaccurate for the few seeds of a study."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.statistics.laws import chi2_tail
from service.statistics.laws import ranks as ranked

MOST_ARRANGEMENTS = 20_000  # enumerated; if there are more, as many are drawn
ROUNDING = 1e-9

Floats = NDArray[np.float64]
Ranks = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Friedman:
    """Whether k variants differ, judged within n blocks."""

    blocks: int  # n
    mean_ranks: tuple[float, ...]  # one per variant, 1 is best
    chi2: float
    kendall_w: float  # chi2 / (n (k - 1)), in [0, 1]: the agreement of the blocks
    p_value: float  # by permutation within blocks
    p_chi2: float  # by the chi-squared distribution with k - 1 degrees of freedom
    exact: bool  # whether every permutation was enumerated


def friedman(costs: ArrayLike) -> Friedman:
    """Test the costs, an (n blocks, k variants) array; less is better.

    chi2 = 12 / (n k (k + 1)) sum_j R_j^2 - 3 n (k + 1) with the rank sums R_j, and with the usual correction where
    costs are tied. Under the null hypothesis every order of the variants within a block is equally likely, whatever
    the other blocks show. So the p-value is exact, or where it is not `exact` an estimate from drawn orders.

    Raises:
        ValueError: fewer than 2 blocks or variants, or a cost that is not finite.
    """
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"Friedman's test needs at least 2 blocks and 2 variants, got an array of shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("Friedman's test needs finite costs; leave out blocks that lack one")
    n, k = table.shape
    ranks = ranked(table)
    chi2 = _chi2(ranks)
    sorted_ranks: Ranks = tuple(sorted(tuple(sorted(row)) for row in ranks.tolist()))
    null, exact = _null(sorted_ranks)
    as_far = int((null >= _spread(ranks.sum(axis=0)) - ROUNDING).sum())
    return Friedman(
        blocks=n,
        mean_ranks=tuple(ranks.mean(axis=0).tolist()),
        chi2=chi2,
        kendall_w=chi2 / (n * (k - 1)),
        p_value=as_far / len(null) if exact else (as_far + 1) / (len(null) + 1),
        p_chi2=chi2_tail(chi2, k - 1),
        exact=exact,
    )


def _chi2(ranks: Floats) -> float:
    n, k = ranks.shape
    untied = float((ranks**2).sum()) - n * k * (k + 1) ** 2 / 4  # the sum of squares of the ranks around their mean
    if untied < ROUNDING:
        return 0.0
    return float((k - 1) * _spread(ranks.sum(axis=0)) / untied)


def _spread(rank_sums: Floats) -> Floats:
    """The sum of squares of the rank sums around their mean: chi2 up to factors that permuting does not change."""
    around: Floats = rank_sums - rank_sums.mean(axis=-1, keepdims=True)
    return np.asarray((around**2).sum(axis=-1))


@lru_cache(maxsize=64)
def _null(blocks: Ranks) -> tuple[Floats, bool]:
    """The spreads under the null hypothesis, and whether these are all.

    The first block stays as it is: permuting all blocks alike changes no spread.
    """
    k, n = len(blocks[0]), len(blocks)
    first, rest = np.asarray(blocks[0]), np.asarray(blocks[1:])
    if math.factorial(k) ** (n - 1) <= MOST_ARRANGEMENTS:
        sums = first[None, :]
        for block in blocks[1:]:
            orders = np.asarray(list(permutations(block)))  # (k!, k)
            sums = (sums[:, None, :] + orders[None, :, :]).reshape(-1, k)
        return _spread(sums), True
    random = np.random.default_rng(0)  # fixed, so that a report always says the same
    drawn = random.permuted(np.broadcast_to(rest, (MOST_ARRANGEMENTS, n - 1, k)), axis=-1)
    return _spread(first + drawn.sum(axis=1)), False
