"""Several variants under the same seeds: differences whose intervals hold for all pairs at once."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from service.statistics.coarse import Rows, largest_step, step_of_shares
from service.statistics.interval import ROUNDING, SINGLE, Interval, Method, mean_interval
from service.statistics.laws import root, student_quantile
from service.statistics.paired import PairedDifference, described

ALPHA = 0.05
TRUST = 1 / 3  # of the prior's degrees of freedom is used: few configurations estimate them
SHARE = 1 / 2  # of the other configurations' degrees of freedom that a pair may borrow
MOST_OTHERS = 9  # configurations: with more, one that scatters unlike all others would be lost among them


@dataclass(frozen=True)
class AllPairs:
    """The finite values (k, n) of k >= 2 configurations, each under the same n >= 2 seeds in the same order.

    An interval is Student's t with Bonferroni's share of ALPHA and a moderated variance (Smyth 2004, section 3): the
    pair's own variance drawn towards that of all pairs, which adds degrees of freedom. Few seeds say little about one
    variance and much about all together: with many configurations under three seeds, an interval is a fraction of what
    the pair's own variance gives. Configurations do not scatter alike, so the other pairs count for less than in
    Smyth, and no variance becomes smaller than it was. Two configurations, or two seeds, have nothing to lend: their
    interval is `mean_interval`. Figures such as an accuracy have a few values only, so a difference may be the same
    under every seed by chance: its variance is taken for what it would be if one seed differed by the least step
    between figures. Where seeds are judged by unequal numbers of examples, as by folds, so is one that is of the same
    number of examples under every seed. Configurations that are equal under every seed differ by nothing, but for such
    figures; where all of these are one number, as 1 of few examples often is, the step is the largest that it allows.
    docs/statistics.md has the lengths and the rates of misses, measured by benchmarks/simultaneous.py.
    """

    values: NDArray[np.float64]
    others: Rows = ()  # of configurations that are compared no more, under some of these seeds: they show steps, too

    def difference(self, first: int, second: int) -> PairedDifference:
        """The values of one configuration minus another's."""
        differences = self.values[first] - self.values[second]
        if self._is_same[first, second] or (self._prior[0] == 0 and not self._is_steady[first, second]):
            return described(differences, mean_interval(differences, 1 - self._share))
        mean, reach = float(differences.mean()), self._quantile * float(self.errors[first, second])
        method = Method.MODERATED if self._prior[0] else Method.STUDENT
        least = math.sqrt(self._least[first, second]) if self._is_steady[first, second] else 0.0
        return described(differences, Interval(mean - reach, mean + reach, method), least)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """The moderated standard error of every pair's mean difference (k, k); 0 where all differences are."""
        borrowed, typical = self._prior
        seeds = self.values.shape[1]
        variances = np.where(self._is_steady, np.maximum(self._variances, self._least), self._variances)
        moderated = (borrowed * typical + (seeds - 1) * variances) / (borrowed + seeds - 1)
        return np.where(self._is_same, 0.0, np.sqrt(np.maximum(variances, moderated) / seeds))

    @property
    def freedom(self) -> float:
        """The degrees of freedom of every standard error: n - 1, and what a pair borrows."""
        borrowed, _ = self._prior
        return borrowed + float(self.values.shape[1] - 1)

    @property
    def _share(self) -> float:
        """A pair's share of ALPHA."""
        return ALPHA / math.comb(len(self.values), 2)

    @cached_property
    def _quantile(self) -> float:
        return student_quantile(1 - self._share / 2, self.freedom)

    @cached_property
    def _variances(self) -> NDArray[np.float64]:
        """The variance of every pair's differences (k, k)."""
        return np.array([(row - self.values).var(axis=1, ddof=1) for row in self.values])

    @cached_property
    def _sizes(self) -> NDArray[np.float64]:
        """The size of a pair's values (k, k)."""
        sizes = np.abs(self.values).max(axis=1)
        return np.asarray(np.maximum.outer(sizes, sizes))

    @cached_property
    def _share_step(self) -> float:
        """The least step of values that are shares of examples, such as accuracies; 0 of others."""
        own: Rows = self.values.tolist()
        if len(np.unique(self.values)) > 1:
            return step_of_shares(own)
        several = {value for row in self.others for value in row if math.isfinite(value)} - {float(self.values[0, 0])}
        return step_of_shares([*own, *self.others]) if several else largest_step(self.values)

    @cached_property
    def _is_same(self) -> NDArray[np.bool_]:
        """Whether a pair is equal under every seed, but for rounding, and so finely that it is one training (k, k)."""
        largest = np.array([np.abs(row - self.values).max(axis=1) for row in self.values])
        return np.asarray((largest <= ROUNDING * self._sizes) & (self._share_step == 0))

    @cached_property
    def _is_constant(self) -> NDArray[np.bool_]:
        """Whether a pair's differences are the same under every seed, but for single precision (k, k)."""
        return np.asarray(self._variances <= (SINGLE * self._sizes) ** 2)

    @cached_property
    def _is_steady(self) -> NDArray[np.bool_]:
        """Whether they are, or are of shares and scatter less than if one seed's were a step off (k, k)."""
        return np.asarray(self._is_constant | (self._variances < (1 - SINGLE) * self._least))

    @cached_property
    def _least(self) -> NDArray[np.float64]:
        """The least variance that a pair's differences are taken to have: one seed's is a step off (k, k)."""
        steps = np.maximum(np.where(self._is_constant, self._steps, 0.0), self._share_step)
        return np.asarray(steps**2 / self.values.shape[1])

    @cached_property
    def _steps(self) -> NDArray[np.float64]:
        """The least difference of two of the values that is more than single precision of a pair's (k, k), or that."""
        gaps, finest = np.sort(np.diff(np.unique(self.values))), SINGLE * self._sizes
        steps = np.append(gaps, math.inf)[np.searchsorted(gaps, finest, side="right")]
        return np.where(np.isfinite(steps), steps, finest)

    @cached_property
    def _prior(self) -> tuple[float, float]:
        """The degrees of freedom that a pair borrows, and the variance that comes with them."""
        configurations, seeds = self.values.shape
        most = SHARE * min(configurations - 2, MOST_OTHERS) * (seeds - 2)
        pairs = np.triu_indices(configurations, 1)
        variances = self._variances[pairs][~self._is_steady[pairs]]
        if most == 0 or len(variances) < 2:
            return 0.0, 0.0
        freedom, variance = _fitted(variances, seeds - 1)
        return min(TRUST * freedom, most), variance


def _fitted(variances: NDArray[np.float64], freedom: int) -> tuple[float, float]:
    """Fit a scaled inverse chi-square distribution to true variances, by the logarithms of estimated ones.

    Each estimate has `freedom` degrees of freedom (Smyth 2004, section 6.2). Returns the distribution's own degrees of
    freedom, infinite if all variances are alike, and its scale.
    """
    logs = np.log(variances) - special.digamma(freedom / 2) + math.log(freedom / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2))
    if excess <= special.polygamma(1, math.exp(20)):
        return math.inf, math.exp(logs.mean())
    half = math.exp(root(lambda x: float(special.polygamma(1, math.exp(x))) - excess, -20, 20))
    return 2 * half, math.exp(logs.mean() + special.digamma(half) - math.log(half))
