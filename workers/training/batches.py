"""An epoch's batches, in a random order, from inputs and targets that lie on the device."""

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
        # How many entries a sparse batch has must be known before it can be gathered. Gathering all at once
        # waits for the device once an epoch, and the batches are cut from that without a wait.
        yield from zip(x[order].split(size), torch.split(y[order], size), strict=True)
