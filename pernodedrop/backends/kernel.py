"""Exact masks that are never stored: every factor is drawn inside the product, and drawn again in backward."""

import math
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.quantized import quantized
from pernodedrop.backends.stirred_product import stirred_product
from pernodedrop.stir import Stir, noise_variance

_COMPILERS = {"cpu": "numba", "cuda": "triton"}
INSTALLED = frozenset(device for device, compiler in _COMPILERS.items() if find_spec(compiler) is not None)


def is_available(x: Tensor) -> bool:
    """Whether a kernel computes with this tensor: numba's on cpu; Triton's on cuda, in single precision."""
    device = x.device.type
    return device in INSTALLED and not (device == "cuda" and x.dtype == torch.float64)


def linear(x: Tensor, weight: Tensor, stir: Stir, generator: torch.Generator | None) -> Tensor:
    """y_btj = sum_i x_bti m_bji W_ji in memory O(BTI + IJ + BTJ).

    The keep probability is met within 2^-13 of the rarer outcome, and the scale is that of the probability met,
    so the mean is exactly 1.
    """
    seed = draws.seed(generator, device=x.device)
    if stir.name == "bernoulli":
        keep = quantized(1.0 - stir.drop_rate)
        return stirred_product(x, weight, seed, keep, normal=False) / keep.value
    noisy = quantized(stir.noisy_fraction if stir.name == "partial_gaussian" else 1.0)
    noise = stirred_product(x, weight, seed, noisy, normal=True)
    return nn.functional.linear(x, weight) + math.sqrt(noise_variance(stir.drop_rate)) * noise
