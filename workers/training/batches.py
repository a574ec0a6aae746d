"""The batches of an epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.tasks.seams import Inputs


def batches(x: Inputs, y: Tensor, order: Tensor, size: int) -> Iterator[tuple[Inputs, Tensor]]:
    """Pairs of inputs and targets, `size` samples at a time in the order (N,), the last fewer."""
    order = order.to(y.device)
    if isinstance(x, Tensor):
        for part in torch.split(order, size):
            yield x[part], y[part]
    else:
        # The number of entries of a sparse batch must be known before it can be gathered. Gathering all rows at once
        # waits for the device once an epoch, and cutting the batches from them needs no wait.
        yield from zip(x[order].split(size), torch.split(y[order], size), strict=True)


def random_batch(x: Inputs, y: Tensor, size: int) -> tuple[Inputs, Tensor]:
    """The first batch of a random order, which torch's global generator draws."""
    return next(batches(x, y, torch.randperm(len(x), device="cpu")[:size], size))
