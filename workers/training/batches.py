"""The batches of an epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.tasks.inputs import Inputs, gathered
from workers.tasks.structure import Batch


def batches(x: Inputs, y: Tensor, order: Tensor, size: int) -> Iterator[tuple[Batch, Tensor]]:
    """Pairs of inputs and targets, `size` samples at a time in the order (N,), the last fewer."""
    order = order.to(y.device)
    yield from zip(gathered(x, order, size), (y[part] for part in torch.split(order, size)), strict=True)


def random_batch(x: Inputs, y: Tensor, size: int) -> tuple[Batch, Tensor]:
    """The first batch of a random order, which torch's global generator draws."""
    return next(batches(x, y, torch.randperm(len(x), device="cpu")[:size], size))
