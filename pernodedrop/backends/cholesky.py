"""Gaussian masks that change slowly over time, moved to the pre-activations, where their joint law is the same.

Given x and the choices z, the positions of unit j of a sample are jointly Gaussian with the covariance
K_j,tu = s^2 rho^|t-u| sum_i z_ji x_ti x_ui W_ji^2, and no two units share a connection. So y_j = x W_j + L e with
L L^T = K_j. It takes B J T^2 (I/2 + T/3) multiply-adds and B T J random numbers.
"""

import math

import torch
from torch import Tensor

from pernodedrop import draws
from pernodedrop.backends.base import OverTime

_JITTER = 1e-6  # of a position's variance: K_j is singular where rows are 0 or alike
_ROUNDINGS = 4  # of the type's precision, a position


def pays(x: Tensor) -> bool:
    """Return whether this takes less time than drawing the masks, as measured on a CPU with the backward pass."""
    return x.shape[1] ** 2 <= 2 * x.shape[2]


def correlated_noise(
    x: Tensor, squares: Tensor, variance: float, over_time: OverTime, generator: torch.Generator | None
) -> Tensor:
    """Noise (B, T, J) of covariance K_j for x (B, T, I) and squares z W^2, (J, I) or (B, J, I).

    Their type is single precision or more.
    """
    samples, positions, _ = x.shape
    own = torch.matmul(x * x, squares.mT).mT  # B, J, T
    positive = own > 0  # the root has no derivative at 0
    root = torch.where(positive, own, 1.0).sqrt()
    one, two = torch.tril_indices(positions, positions, -1, device=x.device)
    lags = one // over_time.rows - two // over_time.rows
    pairs = torch.matmul(x[:, one] * x[:, two], squares.mT).mT / (
        root[..., one] * root[..., two]
    )  # B, J, T (T - 1) / 2
    pairs = pairs * torch.pow(over_time.correlation, lags.to(x.dtype))
    below = pairs.new_zeros(*root.shape, positions).flatten(-2).index_copy(-1, one * positions + two, pairs)
    below = below.reshape(*root.shape, positions)
    own_place = 1.0 + max(_JITTER, _ROUNDINGS * positions * torch.finfo(x.dtype).eps)
    correlation = below + below.mT + own_place * torch.eye(positions, dtype=x.dtype, device=x.device)
    lower = torch.linalg.cholesky(correlation)
    normal = draws.normal((samples, squares.shape[-2], positions), generator, dtype=x.dtype, device=x.device)
    noise = torch.matmul(lower, normal.unsqueeze(-1)).squeeze(-1) * torch.where(positive, root, 0.0)
    return math.sqrt(variance) * noise.mT
