"""Several variants under the same seeds: differences whose intervals hold for all pairs at once."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from service.reports.statistics.interval import Interval, Method
from service.reports.statistics.paired import PairedDifference, described

ALPHA = 0.05
TRUST = 1 / 3  # in the freedom of the prior: it is estimated from few configurations
SHARE = 1 / 2  # of the other configurations' freedom that a pair may borrow
NO_SCATTER = 1e-24  # of the largest variance: equal but for rounding


@dataclass(frozen=True)
class AllPairs:
    """The values (k, n) of k >= 2 configurations, each under the same n >= 2 seeds in the same order.

    An interval is Student's t with Bonferroni's share of ALPHA and a moderated variance (Smyth 2004, section 3): the
    pair's own one drawn towards that of all pairs, which adds freedom. Few seeds say little of one variance and much
    of all together: under three of them intervals are two to six times shorter than by the pair's own variance.
    As configurations do not scatter alike, the other pairs count for less than Smyth lets them, and no variance
    becomes smaller than it was. How seldom an interval misses: docs/statistics.md, by benchmarks/simultaneous.py.
    """

    values: NDArray[np.float64]

    def difference(self, first: int, second: int) -> PairedDifference:
        """The values of one configuration minus another's; a point where they differ by the same under every seed."""
        differences = self.values[first] - self.values[second]
        mean, variance = float(differences.mean()), float(differences.var(ddof=1))
        if variance <= NO_SCATTER * self._largest:
            return described(differences, Interval(mean, mean, Method.STUDENT))
        borrowed, typical = self._prior
        freedom = len(differences) - 1
        moderated = (borrowed * typical + freedom * variance) / (borrowed + freedom)
        quantile = float(stats.t.ppf(1 - ALPHA / len(self._pairs) / 2, borrowed + freedom))
        reach = quantile * math.sqrt(max(variance, moderated) / len(differences))
        return described(differences, Interval(mean - reach, mean + reach, Method.MODERATED))

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(len(self.values)), 2))

    @cached_property
    def _variances(self) -> NDArray[np.float64]:
        return np.array([(self.values[i] - self.values[j]).var(ddof=1) for i, j in self._pairs])

    @cached_property
    def _largest(self) -> float:
        return float(self._variances.max())

    @cached_property
    def _prior(self) -> tuple[float, float]:
        """The freedom that a pair borrows, and the variance that comes with it."""
        configurations, seeds = self.values.shape
        most = SHARE * (configurations - 2) * (seeds - 1)
        scattered = self._variances[self._variances > NO_SCATTER * self._largest]
        if most == 0 or len(scattered) < 2:
            return 0.0, 0.0
        freedom, variance = _fitted(scattered, seeds - 1)
        return min(TRUST * freedom, most), variance


def _fitted(variances: NDArray[np.float64], freedom: int) -> tuple[float, float]:
    """The scaled inverse chi-square distribution of true variances, by the moments of the logarithms of estimated ones,
    each of so much freedom (Smyth 2004, section 6.2): its own freedom, infinite where all are alike, and its scale."""
    logs = np.log(variances) - special.digamma(freedom / 2) + math.log(freedom / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2))
    if excess <= 0:
        return math.inf, math.exp(logs.mean())
    half = math.exp(optimize.brentq(lambda x: special.polygamma(1, math.exp(x)) - excess, -20, 20))
    return 2 * half, math.exp(logs.mean() + special.digamma(half) - math.log(half))
