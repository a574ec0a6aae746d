"""Figures that vary with the seed of a training and with the inputs that it is judged by."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from service.statistics.interval import CONFIDENCE
from service.statistics.laws import normal_quantile, student_quantile

RESAMPLES = 200  # of the inputs: they estimate a variance, not a quantile (Efron and Tibshirani 1993, section 6.4)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its interval."""

    value: float
    low: float
    high: float
    seeds: int

    @property
    def is_point(self) -> bool:
        """Whether the interval has no length: neither seeds nor inputs showed how far chance moves the mean."""
        return self.low == self.high

    @property
    def of_share(self) -> "Estimate":
        """The same of a share in [0, 1], such as an AUROC: bounds on the scale of its logarithmic odds.

        Near 0 and 1 a share is skewed, and bounds of equal length miss it on one side.
        """
        if not 0 < self.value < 1:
            return replace(self, low=max(0.0, self.low), high=min(1.0, self.high))
        odds, reach = special.logit(self.value), (self.high - self.value) / (self.value * (1 - self.value))
        return replace(self, low=float(special.expit(odds - reach)), high=float(special.expit(odds + reach)))

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@lru_cache(maxsize=4)  # of 10,000 inputs 16 MB each
def resampled(count: int, seed: int, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """How often each of `count` inputs is in each resample (count, resamples + 1); the first is the sample itself.

    The same arguments give the same resamples, so that all seeds and variants are judged by the same inputs.
    """
    random = np.random.default_rng([count, seed])
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    counts = np.ascontiguousarray(np.concatenate([np.ones((1, count)), drawn]).T)
    counts.flags.writeable = False
    return counts


def over_seeds_and_inputs(drawn: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of a figure over seeds and its interval, from `drawn` (resamples + 1, seeds).

    The first row has every seed's figure, each other row the same from one resample of the inputs, which all seeds
    share. For the difference of two variants give their difference, seed by seed and resample by resample.

    Seeds and inputs are crossed: the variance of the mean is that of the seeds' figures divided by their number, and
    the mean covariance of two seeds over the resamples, which is what the seeds share by having the same inputs. The
    bound is Student's t at Satterthwaite's degrees of freedom. With one seed the interval is for other inputs alone.
    docs/statistics.md has what it covers, measured by benchmarks/detecting.py.

    Raises:
        ValueError: no seed, or no resample.
    """
    table = np.asarray(drawn, np.float64)
    if table.ndim != 2 or table.shape[0] < 3 or table.shape[1] < 1:
        raise ValueError(f"an interval over seeds and inputs needs a seed and two resamples, got shape {table.shape}")
    figures, seeds = table[0], table.shape[1]
    mean = float(figures.mean())
    if seeds == 1:
        reach = normal_quantile((1 + confidence) / 2) * float(table[1:, 0].std(ddof=1))
        return Estimate(mean, mean - reach, mean + reach, seeds)
    covariance = np.cov(table[1:], rowvar=False)
    shared = max(0.0, float((covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))))
    own = float(figures.var(ddof=1)) / seeds
    if shared + own == 0.0:
        return Estimate(mean, mean, mean, seeds)
    freedom = math.inf if own == 0.0 else (seeds - 1) * ((shared + own) / own) ** 2
    reach = student_quantile((1 + confidence) / 2, freedom) * math.sqrt(shared + own)
    return Estimate(mean, mean - reach, mean + reach, seeds)
