"""A task that trains nothing: an epoch is a sleep of `options.seconds`, so that all else is overhead."""

import time

import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks import Splits, Task


class Sleeping(Task):
    """One weight and two samples."""

    def load(self, device: torch.device) -> Splits:
        x = torch.ones(2, 1, device=device)
        return Splits(x, x, x, x)

    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(float(self.spec.options["seconds"]) / 2)  # called for two splits an epoch
        return {}


class AsLongAsDrawn(Sleeping):
    """Its epoch is a sleep of the setting `seconds`."""

    def build(self, config: TrialConfig) -> nn.Module:
        self._seconds = float(str(config.extra["seconds"]))
        return super().build(config)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(self._seconds / 2)
        return {}
