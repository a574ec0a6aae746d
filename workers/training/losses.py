"""The losses of an epoch's steps: they stay on the device and are read once."""

import math
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from workers.tasks.base import Splits
from workers.tasks.errors import InvalidInputs
from workers.tasks.finite import not_finite


class NonFiniteLoss(RuntimeError):
    """A loss is nan or infinite: the training has diverged, or the data hold such numbers."""

    def __init__(
        self, name: str, value: float, when: str, learning_rate: float, *, split: str, data: Splits, is_first: bool
    ) -> None:
        """`split` of `data` is what the loss is of; `is_first`: in the first pass, so data on disk are read again."""
        found: list[str] = []
        with suppress(InvalidInputs):  # what cannot be read again tells nothing of the loss
            found = list(not_finite(data, (split,), streamed=is_first))
        remedy = (
            f"most likely because {' and '.join(found)}: mend the data, or mask them in the model and the loss"
            if found
            else "lower the learning rate"
        )
        super().__init__(f"{name} became {value} in {when} (learning_rate {learning_rate}): {remedy}")


def mean_step_loss(
    losses: Sequence[Tensor], sizes: Sequence[int], epoch: int, learning_rate: float, data: Splits
) -> float:
    """The mean over the epoch's samples of the steps' mean losses; waits for the device.

    Raises:
        NonFiniteLoss: naming the first step, from 1, whose loss is not finite.
    """
    values = torch.stack(list(losses)).tolist()
    for step, value in enumerate(values, start=1):
        if not math.isfinite(value):
            when = f"epoch {epoch}, step {step}"
            raise NonFiniteLoss(
                "training loss", value, when, learning_rate, split="train", data=data, is_first=epoch == 1
            )
    return math.fsum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)
