"""Models that predict by several: the passes of one, its snapshots, or those of several seeds."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes
from workers.tasks import Task


class Averaged(nn.Module):
    """The outputs (B, ...) whose probabilities are the mean of those of several models."""

    def __init__(self, task: Task, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self._combined = task.combined

    def forward(self, x: Tensor) -> Tensor:
        return self._combined(torch.stack([model(x) for model in self.models]))


class SeveralPasses(nn.Module):
    """The outputs (B, ...) whose probabilities are the mean of those of a model's passes, such as one by each mask."""

    def __init__(self, task: Task, model: nn.Module, passes: Passes) -> None:
        super().__init__()
        self.model = model
        self._combined, self._passes = task.combined, passes

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for number in range(self._passes.count):
            with self._passes.under(number):
                outputs.append(self.model(x))
        return self._combined(torch.stack(outputs))
