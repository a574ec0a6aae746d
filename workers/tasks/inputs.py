"""The inputs of a split: a tensor, or what stands for several tensors or for more than memory holds."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from workers.tasks.errors import InvalidInputs
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.streamed import Streamed
from workers.tasks.structure import Batch, Structured, described, leaves, mapped

Inputs = Tensor | SparseRows | Structured | Streamed


def inputs_of(given: Any, what: str) -> Inputs:
    """The inputs that somebody gives, where a dictionary or a tuple may stand for several tensors; `what` names them.

    Raises:
        InvalidInputs: they are something else.
    """
    if isinstance(given, Inputs):
        return given
    if isinstance(given, Mapping | tuple):
        return Structured(given, what)
    raise InvalidInputs(
        f"{what} must be a tensor, SparseRows, Streamed, or a dictionary or tuple of tensors, got {described(given)}"
    )


def batch_of(x: Inputs) -> Batch:
    """All of these inputs as a model takes them."""
    if isinstance(x, Structured):
        parts: Batch = x.parts
        return parts
    return x.loaded() if isinstance(x, Streamed) else x


def pieces(x: Inputs, size: int) -> Iterator[Batch]:
    """All inputs in order, `size` at a time, the last fewer, as a model takes them."""
    if isinstance(x, Streamed):
        yield from x.batches(size)
    else:
        for part in x.split(size):
            yield batch_of(part)


def gathered(x: Inputs, order: Tensor, size: int) -> Iterator[Batch]:
    """The inputs of these places (M,), on the CPU, `size` at a time, the last fewer, as a model takes them."""
    if isinstance(x, Streamed):
        yield from x.in_order(order, size)
        return
    order = order.to(x.device)
    if isinstance(x, SparseRows):
        # The number of entries of a sparse batch must be known before it can be gathered. Gathering all rows at once
        # waits for the device once an epoch, and cutting the batches from them needs no wait.
        yield from x[order].split(size)
    elif isinstance(x, Structured) and any(isinstance(part, SparseRows) for _, part in leaves(x.parts)):
        yield from pieces(x[order], size)
    else:
        for part in torch.split(order, size):
            yield batch_of(x[part])


def told_of(x: Inputs) -> dict[str, Any] | None:
    """The shape and kind of one input, or of each of its tensors by their places; None for sparse ones."""
    if isinstance(x, SparseRows):
        return None
    if isinstance(x, Tensor):
        return {"shape": list(x.shape[1:]), "dtype": str(x.dtype).removeprefix("torch.")}
    parts = batch_of(x[:1])
    if isinstance(parts, Tensor):
        return told_of(parts)
    if any(isinstance(part, SparseRows) for _, part in leaves(parts)):
        return None
    return {"parts": _told(parts)}


def _told(parts: Any) -> Any:
    if isinstance(parts, Mapping):
        return {"dictionary": [[name, _told(part)] for name, part in parts.items()]}  # JSON does not keep their order
    if isinstance(parts, tuple):
        return {"tuple": [_told(part) for part in parts]}
    return told_of(parts)


def zeros_of(told: Mapping[str, Any], samples: int, device: torch.device) -> Any:
    """Inputs as `told_of` tells them, all zeros."""
    if "parts" in told:
        return zeros_of(told["parts"], samples, device)
    if "dictionary" in told:
        return {name: zeros_of(part, samples, device) for name, part in told["dictionary"]}
    if "tuple" in told:
        return tuple(zeros_of(part, samples, device) for part in told["tuple"])
    return torch.zeros(samples, *told["shape"], dtype=getattr(torch, str(told["dtype"])), device=device)


__all__ = ["Batch", "Inputs", "batch_of", "gathered", "inputs_of", "mapped", "pieces", "told_of", "zeros_of"]
