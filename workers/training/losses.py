"""The losses of an epoch's steps: they stay on the device and are read once."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class NonFiniteLoss(RuntimeError):
    """A loss is nan or infinite: the training has diverged and further epochs would be noise."""

    def __init__(self, name: str, value: float, when: str, learning_rate: float) -> None:
        super().__init__(f"{name} became {value} in {when} (learning_rate {learning_rate}): lower the learning rate")


def mean_step_loss(losses: Sequence[Tensor], sizes: Sequence[int], epoch: int, learning_rate: float) -> float:
    """The mean over the epoch's samples of the steps' mean losses; waits for the device.

    Raises:
        NonFiniteLoss: naming the first step, from 1, whose loss is not finite.
    """
    values = torch.stack(list(losses)).tolist()
    for step, value in enumerate(values, start=1):
        if not math.isfinite(value):
            raise NonFiniteLoss("training loss", value, f"epoch {epoch}, step {step}", learning_rate)
    return math.fsum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)
