"""Tasks without a download: images of the true size of CIFAR-10, and trials that hold memory for a while."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks import Splits, Task
from workers.tasks.images import ImageTask, LabelledImages

MODULE = __name__


class Photographs(ImageTask):
    """Noise in the shape and number of CIFAR-10's training images: what a trial costs does not depend on the pixels."""

    SHAPE = (3, 32, 32)
    CLASSES = 10
    IMAGES = 50_000

    def read(self) -> tuple[LabelledImages, LabelledImages]:
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (self.IMAGES, *self.SHAPE), dtype=np.uint8)
        labels = random.integers(0, self.CLASSES, self.IMAGES, dtype=np.int64)
        return LabelledImages(pixels, labels), LabelledImages(pixels[:100], labels[:100])


class FewPhotographs(Photographs):
    """As many as a CPU learns from in a moment."""

    SHAPE = (3, 8, 8)
    IMAGES = 320


class Ballast(Task):
    """Fits a line, and holds as many bytes of the device's memory as the dimension `ballast` says.

    An epoch lasts `options.seconds` at least.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        self._held: Tensor | None = None
        self._device = torch.device("cpu")

    def load(self, device: torch.device) -> Splits:
        self._device = device
        x = torch.linspace(-1, 1, 32, device=device).unsqueeze(1)
        return Splits(x, 2 * x, x, 2 * x)

    def build(self, config: TrialConfig) -> nn.Module:
        self._held = None  # an earlier trial's
        self._held = torch.empty(int(config.extra["ballast"]), dtype=torch.uint8, device=self._device)
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(float(self.spec.options["seconds"]) / 2)  # called for two splits an epoch
        return {}
