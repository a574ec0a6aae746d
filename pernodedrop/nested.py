"""Nested tensors, whose samples differ in length."""

from collections.abc import Callable

import torch
from torch import Tensor


def on_padded(call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """call(x); of a nested x (B, *, ...) through its padded tensor, whose first two dimensions `call` keeps.

    Raises:
        RuntimeError: a nested x is ragged in another dimension than its second.
    """
    if not x.is_nested:
        return call(x)
    if x.layout != torch.jagged:
        lengths = [part.shape[0] for part in x.unbind()]
        y = call(torch.nested.to_padded_tensor(x, 0.0))
        return torch.nested.as_nested_tensor([y[sample, :length] for sample, length in enumerate(lengths)])
    if x._ragged_idx != 1 or x.lengths() is not None:  # type: ignore[attr-defined]
        raise RuntimeError("a nested tensor must be contiguous and ragged in its second dimension: call x.contiguous()")
    offsets: Tensor = x.offsets()  # type: ignore[attr-defined]
    y = call(torch.nested.to_padded_tensor(x, 0.0))
    present = torch.arange(y.shape[1], device=y.device) < offsets.diff().unsqueeze(1)
    return torch.nested.nested_tensor_from_jagged(y[present], offsets)
