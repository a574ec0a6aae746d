"""Tasks of a user's: one that works, and others that would each fail in their own way."""

import os
import time

import torch
from torch import nn

from search_spaces import TrialConfig
from workers.tasks import Splits, Task


class Works(Task):
    """Two classes, told by the first of eight numbers."""

    def load(self, device: torch.device) -> Splits:
        x = torch.randn(300, 8, generator=torch.Generator().manual_seed(0)).to(device)
        y = (x[:, 0] > 0).long()
        return Splits(x[:200], y[:200], x[200:], y[200:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(8, config.units))
        return model.append(nn.ReLU()).append(nn.Linear(config.units, 2))


class WithoutSlot(Works):
    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))


class NeedsAll(Works):
    """Its metric cannot be computed from a few samples."""

    def metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        if len(outputs) not in (200, 100):
            raise ValueError("all samples are needed")
        return {"auc": torch.tensor(0.5)}


class WithoutData(Works):
    def load(self, device: torch.device) -> Splits:
        raise FileNotFoundError("points.csv is missing: make it by prepare.py")


class Raises(Works):
    def build(self, config: TrialConfig) -> nn.Module:
        raise KeyError("depth")


class Ends(Works):
    def build(self, config: TrialConfig) -> nn.Module:
        print("a word of the task's own")
        os._exit(3)


class Hangs(Works):
    def build(self, config: TrialConfig) -> nn.Module:
        if config.regularizer == "dropout":
            time.sleep(600)
        return super().build(config)
