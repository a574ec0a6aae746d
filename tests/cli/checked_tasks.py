"""Tasks of a user's: one that works, and others that would each fail in their own way."""

import os
import time

import numpy as np
import torch
from torch import nn

from search_spaces import TrialConfig
from workers.tasks import Splits, Streamed, Task
from workers.tasks.structure import Batch


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


class Misaligned(Works):
    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        return Splits(data.train_x[10:], data.train_y, data.val_x, data.val_y)


class WithoutValidation(Works):
    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        return Splits(data.train_x, data.train_y, data.val_x[:0], data.val_y[:0])


class Named(Works):
    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        return Splits(data.train_x, np.where(data.train_y == 1, "yes", "no"), data.val_x, data.val_y)  # type: ignore[arg-type]


class Doubled(Works):
    def build(self, config: TrialConfig) -> nn.Module:
        return _Doubled(super().build(config))


class _Doubled(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(x.mul_(2))
        return found


class Holed(Works):
    """One number of the last sample is missing."""

    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        assert isinstance(data.val_x, torch.Tensor)
        data.val_x[-1, 3] = torch.nan
        return data

    def build(self, config: TrialConfig) -> nn.Module:
        return _Filled(super().build(config))


class _Filled(_Doubled):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(x.nan_to_num())
        return found


class Regression(Works):
    """A number of each sample, and no metrics."""

    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        assert isinstance(data.train_x, torch.Tensor)
        assert isinstance(data.val_x, torch.Tensor)
        return Splits(data.train_x, data.train_x[:, :1] * 2, data.val_x, data.val_x[:, :1] * 2)

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(8, config.units))
        return model.append(nn.ReLU()).append(nn.Linear(config.units, 1))

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - targets).square().mean()


class EveryPair(Regression):
    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        return Splits(data.train_x, data.train_y[:, 0], data.val_x, data.val_y[:, 0])


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


class Hooked(Works):
    """An optimizer and an augmentation of its own, and inputs in a dictionary that are read batch by batch."""

    def load(self, device: torch.device) -> Splits:
        whole = super().load(device)
        train, val = (
            Streamed.with_targets(_Pairs(x, y), device)
            for x, y in ((whole.train_x, whole.train_y), (whole.val_x, whole.val_y))
        )
        return Splits(*train, *val)

    def build(self, config: TrialConfig) -> nn.Module:
        return _OfDictionary(super().build(config))

    def optimizer(self, model: nn.Module, config: TrialConfig) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=config.learning_rate, nesterov=True, momentum=0.9)

    def augment(self, x: Batch, generator: torch.Generator) -> Batch:
        assert isinstance(x, dict)
        noise = torch.randn(x["x"].shape, generator=generator, device=x["x"].device)
        return {**x, "x": x["x"] + 0.01 * noise}


class _Pairs:
    """Samples of two tensors each, and their targets."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self._x, self._y = x, y

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, number: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {"x": self._x[number], "mask": torch.ones(8)}, self._y[number]


class _OfDictionary(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
        found: torch.Tensor = self.inner(x["x"] * x["mask"])
        return found
