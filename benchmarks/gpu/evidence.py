"""Assertions about laws from samples: each fails for a true statement with probability below 6e-7."""

import math

import torch
from torch import Tensor

_ERRORS = 5.0  # standard errors
_SMALLEST_P = 1e-6


def mean_is(samples: Tensor, expected: Tensor | float, slack: Tensor | float = 0.0) -> None:
    """The mean over the first dimension is the expected one, by the samples' own standard error.

    Raises:
        AssertionError: it is not.
    """
    samples = samples.double()
    error = samples.std(0) / math.sqrt(len(samples))
    distance = (samples.mean(0) - expected).abs() - slack
    worst = float((distance / error.clamp(min=1e-30)).max())
    assert worst <= _ERRORS, f"the mean is {worst:.1f} standard errors from what it must be"


def same_law(a: Tensor, b: Tensor) -> None:
    """Two samples of numbers come from one law (Kolmogorov and Smirnov, with the asymptotic bound).

    Numbers are compared to four decimals: sums in another order must not split what a discrete law gives often.

    Raises:
        AssertionError: they do not.
    """
    a, b = (sample.detach().double().flatten().round(decimals=4).sort().values for sample in (a, b))
    both = torch.cat([a, b])
    of_a, of_b = (torch.searchsorted(sample, both, right=True) / len(sample) for sample in (a, b))
    distance = float((of_a - of_b).abs().max())
    p = 2.0 * math.exp(-2.0 * distance**2 * len(a) * len(b) / (len(a) + len(b)))
    assert p > _SMALLEST_P, f"the samples' distribution functions differ by {distance:.3f}, p = {p:.1g}"
