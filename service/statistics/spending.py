"""What a look at a confirmation may claim: the looks share one error, whenever they are."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from service.statistics.all_pairs import ALPHA, AllPairs
from service.statistics.coarse import Rows
from service.statistics.interval import ROUNDING

HALF = 10.0  # seeds by which half of the error is spent
GROWTH = 1.3  # from a look to the next


def spent(seeds: float) -> float:
    """The share of all error that the looks up to so many seeds may spend, in [0, 1): Lan and DeMets 1983.

    It depends on the number of seeds alone, not on the looks to come, and never reaches 1: however far a confirmation
    is extended, something is left.
    """
    return seeds / (seeds + HALF)


def next_look(seeds: int, most: int) -> int:
    """The number of seeds of the look that follows the one at `seeds`: 30 % more, `most` at most.

    Raises:
        ValueError: `seeds` is below 1 or not below `most`.
    """
    if not 1 <= seeds < most:
        raise ValueError(f"a look after {seeds} seeds needs 1 <= seeds < {most}, the most seeds")
    return min(most, math.ceil(GROWTH * seeds))


def one_sided(error: float, freedom: float) -> float:
    """Student's quantile that is exceeded with this probability, infinite for 0."""
    return -float(special.stdtrit(freedom, error)) if error else math.inf


@dataclass
class Budget:
    """What the looks so far have left of ALPHA, the error of all together.

    Each of the k configurations at a look has 1 / k of what the look may spend, so that the best, with k - 1 claims,
    is dropped in less than ALPHA of the studies, and a winner among equals is named in ALPHA at most.
    """

    rest: float = ALPHA  # after a fixed look
    fixed_until: int = 0  # seeds
    looked_at: int = 0  # seeds

    def claims(self, values: NDArray[np.float64], is_fixed: bool, others: Rows = ()) -> NDArray[np.float64]:
        """The least that each configuration's mean cost exceeds each other's (k, k), by their finite costs (k, n).

        `others` are the costs of configurations that are compared no more, see `AllPairs`.
        Where k or n is 1 that is -inf, and nothing is spent. A fixed look is one by `AllPairs.difference`: only the
        first may be one, because the figures of an extended confirmation are shown by the rule of those that follow.
        """
        count, seeds = values.shape
        if count < 2 or seeds < 2:
            return np.where(np.eye(count, dtype=bool), 0.0, -math.inf)
        pairs = AllPairs(values, others)
        claims = self._fixed(pairs) if is_fixed else self._sequential(pairs)
        sizes = np.abs(values).max(axis=1)
        return np.where(np.abs(claims) <= ROUNDING * np.maximum.outer(sizes, sizes), 0.0, claims)

    def _fixed(self, pairs: AllPairs) -> NDArray[np.float64]:
        """Two-sided over all pairs: for the one-sided claims about the best of k, that is ALPHA / k."""
        count, seeds = pairs.values.shape
        self.rest = ALPHA - ALPHA / count
        self.fixed_until = self.looked_at = seeds
        lows = np.zeros((count, count))
        for one, other in combinations(range(count), 2):
            found = pairs.difference(one, other)
            lows[one, other], lows[other, one] = found.low, -found.high
        return lows

    def _sequential(self, pairs: AllPairs) -> NDArray[np.float64]:
        count, seeds = pairs.values.shape
        share = (spent(seeds) - spent(self.looked_at)) / (1 - spent(self.fixed_until))
        self.looked_at = seeds
        reach = one_sided(self.rest * share / count, pairs.freedom)
        means = pairs.values.mean(axis=1)
        reaches = np.where(pairs.errors > 0, reach, 0.0) * pairs.errors
        return np.asarray(means[:, None] - means - reaches)
