"""The stirred product on a CPU, compiled by numba at the first use and cached."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pernodedrop.backends.cpu import threads
from pernodedrop.backends.cpu.lanes import STEP
from pernodedrop.backends.factors import Chain, Factors


def product(
    x: Tensor,
    weight: Tensor,
    seed: Tensor,
    factors: Factors | Chain,
    divisor: float = 1.0,
    bias: Tensor | None = None,
) -> Tensor:
    """Compute `stirred_product.stirred_product`: x (B, T, I) or (B, I) and weight (J, I) give (B, T, J) or (B, J)."""
    rows = _padded(x)
    y = threads.product(_with_positions(rows), _padded(weight), int(seed), factors)
    if divisor != 1.0:
        y /= divisor
    product = torch.from_numpy(y.reshape(*x.shape[:-1], weight.shape[0]))
    if bias is not None:
        product.add_(bias.detach())
    return product.to(x.dtype)


def gradients(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    seed: Tensor,
    factors: Factors | Chain,
    divisor: float = 1.0,
    *,
    of_x: bool = True,
) -> tuple[Tensor | None, Tensor]:
    """The gradients of `product` in x, or None where not `of_x`, and in weight, given grad (B, T, J) or (B, J)."""
    rows, of_rows = _with_positions(_padded(x)), _with_positions(_array(grad))
    if divisor != 1.0:
        of_rows = of_rows / of_rows.dtype.type(divisor)
    grad_x, grad_weight = threads.gradients(of_rows, rows, _padded(weight), int(seed), factors, of_x=of_x)
    return None if grad_x is None else _like(x, grad_x), _like(weight, grad_weight)


_TYPES = {torch.float32: "<f4", torch.float64: "<f8"}  # as numpy calls them


class _Memory:
    """A tensor's memory as numpy reads it. `Tensor.numpy` would forbid for good that a storage is resized, as FSDP does
    with parameters."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor  # which lives as long as arrays of it
        self.__array_interface__ = {
            "version": 3,
            "typestr": _TYPES[tensor.dtype],
            "shape": tuple(tensor.shape),
            "data": (tensor.data_ptr(), False),
        }


def _array(tensor: Tensor) -> Any:
    if tensor.dtype not in _TYPES:
        tensor = tensor.float()
    if tensor.is_neg() or not tensor.is_contiguous():
        tensor = tensor.resolve_neg().contiguous()
    return np.asarray(_Memory(tensor)) if tensor.numel() else tensor.detach().numpy()


def _padded(tensor: Tensor) -> Any:
    """The tensor with its last dimension padded to the kernels' step."""
    missing = -tensor.shape[-1] % STEP
    return _array(nn.functional.pad(tensor, (0, missing)) if missing else tensor)


def _with_positions(rows: Any) -> Any:
    return rows if rows.ndim == 3 else rows[:, None]


def _like(tensor: Tensor, padded: Any) -> Tensor:
    """The padded array as a tensor of the given one's shape and type."""
    whole = torch.from_numpy(padded if padded.ndim == tensor.dim() else padded[:, 0])
    if whole.shape[-1] != tensor.shape[-1]:
        whole = whole[..., : tensor.shape[-1]].contiguous()
    return whole if whole.dtype == tensor.dtype else whole.to(tensor.dtype)
