"""Measuring a training without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pernodedrop.unchanged import unchanged
from search_spaces import TrialConfig
from workers.tasks.base import Splits, Task
from workers.tasks.structure import Batch
from workers.training.batches import random_batch
from workers.training.randomness import beside
from workers.training.steps import Steps


@dataclass(frozen=True)
class Meter:
    """Measures something of a training between two epochs.

    It draws its own random numbers, which follow from the state of the generator `order` and leave that as it is, and
    it leaves the model as it was. So the training is the same with and without it, to the last bit, and a resumed one
    measures the same.
    """

    task: Task
    config: TrialConfig
    model: nn.Module
    steps: Steps
    splits: Splits
    order: torch.Generator  # of the training's batches, on the CPU

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Within it torch's global generators are the meter's own, and whatever the model does is undone afterwards."""
        with beside(self.order, self.splits.train_y.device), unchanged(self.model):
            yield

    def batch(self) -> tuple[Batch, Tensor]:
        """A random batch, as a step takes it."""
        return random_batch(self.splits.train_x, self.splits.train_y, self.config.batch_size)
