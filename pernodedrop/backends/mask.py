"""The reference: the mask in memory, one product per sample, differentiable as often as torch is."""

import torch
from torch import Tensor

from pernodedrop.stir import Stir


def linear(x: Tensor, weight: Tensor, stir: Stir, generator: torch.Generator | None) -> Tensor:
    """y_btj = sum_i x_bti m_bji W_ji with every m_bji in memory: B * J * I numbers."""
    shape = (x.shape[0], *weight.shape)
    mask = stir.draw(shape, generator=generator, dtype=weight.dtype, device=weight.device)
    return torch.bmm(x, (mask * weight).transpose(1, 2))
