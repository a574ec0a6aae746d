"""Assertions about laws: each fails for a true statement with probability below 6e-7 (five standard errors)."""

from scipy import stats
from torch import Tensor

ERRORS = 5.0
SMALLEST_P = 1e-6  # of a two-sample test whose null holds; every test draws from a fixed seed


def assert_mean(samples: Tensor, expected: Tensor | float, slack: float = 0.0) -> None:
    """The mean over the first dimension is the expected one, by the sample's own standard error."""
    samples = samples.double()
    error = samples.std(0) / samples.shape[0] ** 0.5
    distance = (samples.mean(0) - expected).abs()
    assert bool((distance <= ERRORS * error + slack).all()), (
        f"mean is {float((distance / error.clamp(min=1e-30)).max()):.1f} standard errors from what it must be"
    )


def assert_covariance(a: Tensor, b: Tensor, expected: Tensor | float, slack: float = 0.0) -> None:
    """The covariance of paired samples over the first dimension is the expected one."""
    a, b = a.double(), b.double()
    assert_mean((a - a.mean(0)) * (b - b.mean(0)), expected, slack)


def assert_same_law(a: Tensor, b: Tensor) -> None:
    """Two samples of numbers come from one law (Kolmogorov and Smirnov)."""
    test = stats.ks_2samp(a.detach().double().flatten().numpy(), b.detach().double().flatten().numpy())
    assert test.pvalue > SMALLEST_P, f"p = {test.pvalue:.2g}, distance {test.statistic:.3f}"
