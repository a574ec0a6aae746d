"""Small tasks of a user's own: quick, slow, and every way to fail."""

import os
import signal
import time

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from tests.workers.above import worker_above
from workers.tasks import Division, Splits, Task


class Line(Task):
    """Fits a line; `options.seconds` is how long an epoch lasts at least."""

    def load(self, device: torch.device) -> Splits:
        x = torch.linspace(-1, 1, 32, device=device).unsqueeze(1)
        return Splits(x, 2 * x, x, 2 * x)

    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(float(self.spec.options.get("seconds", 0)) / 2)  # called for two splits an epoch
        return {}


class Troubled(Line):
    """Fails as its dimension `trouble` says."""

    def build(self, config: TrialConfig) -> nn.Module:
        match config.extra["trouble"]:
            case "raises":
                raise ValueError("no layer\nof that name")
            case "quotes a NUL":
                raise ValueError("bad byte \0 in file")
            case "out of memory":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "nan":
                return _Nan()
        return super().build(config)


class Poison(Line):
    """Sends the signal `options.signal` to its worker where the dimension `dose` is 3."""

    def build(self, config: TrialConfig) -> nn.Module:
        if config.extra["dose"] == 3:
            os.kill(worker_above(os.getpid()), int(self.spec.options["signal"]))  # type: ignore[arg-type]
            time.sleep(60)  # its worker ends this process, or the worker's death does
        return super().build(config)


class Rated(Line):
    """A validation loss that is known beforehand: the dimension `quality`."""

    def build(self, config: TrialConfig) -> nn.Module:
        self._quality = float(config.extra["quality"])
        return super().build(config)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"quality": torch.tensor(self._quality)}


class Large(Line):
    """Fills a quarter of a GiB of memory for each unit of its dimension `size`."""

    def build(self, config: TrialConfig) -> nn.Module:
        self._ballast = torch.ones(int(config.extra["size"]), 2**28, dtype=torch.uint8)
        return super().build(config)


class _Nan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight * float("nan")


class Tested(Line):
    """A line that its test split does not quite lie on."""

    def load(self, device: torch.device) -> Splits:
        x = torch.linspace(-1, 1, 32, device=device).unsqueeze(1)
        return Splits(x, 2 * x, x, 2 * x, test_x=x, test_y=2 * x + 0.25)


class Wordy(Line):
    """Has a metric whose name has `options.letters` letters."""

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"a" * int(self.spec.options["letters"]): torch.tensor(1.0)}


class Divided(Line):
    """A line through noisy points, whose splits are drawn anew."""

    def load(self, device: torch.device) -> Splits:
        return self.split(device, Division(seed=0))

    def split(self, device: torch.device, division: Division) -> Splits:
        x = torch.linspace(-1, 1, 32, device=device).unsqueeze(1)
        y = 2 * x + torch.sin(40 * x)
        if division.fold is None:
            rest, test = np.arange(32), ()
        else:
            rest, tested = division.fold.cut(np.zeros(32, int))
            test = x[tested], y[tested]
        rest = np.random.default_rng(division.seed).permutation(rest)
        train, val = rest[8:], rest[:8]
        return Splits(x[train], y[train], x[val], y[val], *test)
