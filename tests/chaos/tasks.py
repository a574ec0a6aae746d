"""Real trainings that last long enough to be interrupted."""

import os
import signal
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from tests.chaos.misbehaviour import MODES
from tests.workers.above import worker_above
from workers.tasks import Splits, Task
from workers.tasks.digits import Digits


class PacedDigits(Digits):
    """digits, with a pause of `options.pause` seconds in every epoch."""

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        self._pause = float(spec.options["pause"])
        options = {name: value for name, value in spec.options.items() if name != "pause"}
        super().__init__(spec.model_copy(update={"options": options}), data_folder)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(self._pause / 2)  # called for two splits an epoch
        return super().metrics(outputs, targets)


class PacedLine(Task):
    """Fits a line, with a pause likewise; the dimension `trouble` can make it poison."""

    def load(self, device: torch.device) -> Splits:
        x = torch.linspace(-1, 1, 64, device=device).unsqueeze(1)
        return Splits(x, 2 * x, x, 2 * x)

    def build(self, config: TrialConfig) -> nn.Module:
        if config.extra.get("trouble") == "kills its worker":
            with suppress(ProcessLookupError):
                os.kill(worker_above(os.getpid()), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return nn.Sequential(OrderedDict(hidden=nn.Linear(1, 8), slot=nn.Linear(8, 1)))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(float(self.spec.options["pause"]) / 2)
        return {"error": (outputs - targets).abs().mean()}


class Misbehaving(PacedLine):
    """Does to its process, at the end of its first epoch, what `options.mode` says."""

    _is_done = False

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        figures = super().metrics(outputs, targets)
        if not self._is_done:
            self._is_done = True
            MODES[str(self.spec.options["mode"])]()
        return figures
