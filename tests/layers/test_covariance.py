"""What tells the variants apart: who shares the noise (the covariance of pre-activations around their mean)."""

import torch
from torch import Tensor, nn

from pernodedrop.functional import dropconnect_linear, gaussian_dropout, pernode_linear
from tests.layers.evidence import assert_covariance

RATE = 0.4
VARIANCE = RATE / (1 - RATE)
CALLS = 4000


def outputs(layer) -> Tensor:
    """(CALLS, 2 samples, 2 units) of separate calls."""
    return torch.stack([layer() for _ in range(CALLS)])


def pairs(y: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """(same sample, other unit), (other sample, same unit), (both other)."""
    return (y[:, 0, 0], y[:, 0, 1]), (y[:, 0, 0], y[:, 1, 0]), (y[:, 0, 0], y[:, 1, 1])


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 6, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)


def test_units_share_the_noise_of_dropout() -> None:
    x, weight = batch()
    across_units = VARIANCE * (x[0] ** 2 * weight[0] * weight[1]).sum()
    for drop in (nn.Dropout(RATE), lambda t: gaussian_dropout(t, RATE)):
        units, samples, both = pairs(outputs(lambda drop=drop: drop(x) @ weight.T))
        assert_covariance(*units, across_units)
        assert_covariance(*samples, 0.0)
        assert_covariance(*both, 0.0)


def test_samples_share_the_noise_of_dropconnect() -> None:
    x, weight = batch()
    across_samples = VARIANCE * (x[0] * x[1] * weight[0] ** 2).sum()
    units, samples, both = pairs(outputs(lambda: dropconnect_linear(x, weight, None, RATE)))
    assert_covariance(*units, 0.0)
    assert_covariance(*samples, across_samples)
    assert_covariance(*both, 0.0)


def test_nobody_shares_the_noise_of_pernodedrop() -> None:
    x, weight = batch()
    for backend in ("mask", "kernel"):
        y = outputs(lambda backend=backend: pernode_linear(x, weight, None, RATE, backend=backend))
        for pair in pairs(y):
            assert_covariance(*pair, 0.0)
        assert_covariance(y, y, VARIANCE * x**2 @ (weight**2).T, slack=1e-2)
