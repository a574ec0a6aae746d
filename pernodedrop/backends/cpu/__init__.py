"""The stirred product on a CPU, compiled by numba at the first use and cached."""

from typing import Any

import torch
from torch import Tensor, nn

from pernodedrop.backends.cpu import threads
from pernodedrop.backends.cpu.lanes import STEP
from pernodedrop.backends.factors import Chain, Factors


def product(x: Tensor, weight: Tensor, seed: Tensor, factors: Factors | Chain) -> Tensor:
    """Compute `stirred_product.stirred_product`: x (B, T, I) and weight (J, I) give (B, T, J)."""
    y = threads.product(_padded(x), _padded(weight), int(seed), factors)
    return torch.from_numpy(y).to(x.dtype)


def gradients(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, factors: Factors | Chain) -> tuple[Tensor, Tensor]:
    """The gradients of `product` in x and weight, given grad (B, T, J)."""
    grad_x, grad_weight = threads.gradients(_array(grad), _padded(x), _padded(weight), int(seed), factors)
    connections = x.shape[-1]
    return (
        torch.from_numpy(grad_x)[..., :connections].to(x.dtype).contiguous(),
        torch.from_numpy(grad_weight)[..., :connections].to(weight.dtype).contiguous(),
    )


def _array(tensor: Tensor) -> Any:
    tensor = tensor.detach()
    return (tensor if tensor.dtype == torch.float64 else tensor.float()).contiguous().numpy()


def _padded(tensor: Tensor) -> Any:
    """The tensor with its last dimension padded to the kernels' step."""
    missing = -tensor.shape[-1] % STEP
    return _array(nn.functional.pad(tensor, (0, missing)) if missing else tensor)
