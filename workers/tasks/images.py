"""Image classification: standardized pixels on the device, and the backbone that the study chooses."""

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks.backbones import FILTERS, Patches, Tokens, backbone_option, build_backbone
from workers.tasks.base import Splits, Task
from workers.tasks.options import check_options
from workers.tasks.splitting import Partition

Pixels = NDArray[np.uint8]  # (N, C, H, W)
Labels = NDArray[np.int64]  # (N,)


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes, as read."""

    pixels: Pixels
    labels: Labels


class ImageTask(Task):
    """A data set of equally sized images; a subclass reads it and names its shape."""

    augmentations = ("flip_crop",)

    SHAPE: ClassVar[tuple[int, int, int]]  # channels, height, width
    CLASSES: ClassVar[int]
    BACKBONES: ClassVar[tuple[str, ...]] = ("paper", "resnet", "transformer", "mlp")
    FILTERS: ClassVar[tuple[int, int]] = FILTERS  # of the paper's backbone
    TOKENS: ClassVar[type[Tokens]] = Patches  # of the backbones for sequences

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed"))
        self._backbone = backbone_option(spec, self.BACKBONES)
        self._partition = Partition.of(spec)

    @abc.abstractmethod
    def read(self) -> tuple[LabelledImages, LabelledImages]:
        """The pool for training and validation, and the test split."""

    def load(self, device: torch.device) -> Splits:
        """Split, and standardize each channel by the training split's mean and deviation."""
        pool, test = self.read()
        train, val = self._partition.indices(pool.labels)
        mean, deviation = channel_statistics(pool.pixels[train])

        def images(pixels: Pixels) -> Tensor:
            x = torch.from_numpy(pixels).to(device, torch.float32, memory_format=torch.channels_last)
            return x.sub_(mean.to(device)).div_(deviation.to(device))

        def classes(labels: Labels) -> Tensor:
            return torch.from_numpy(labels).to(device)

        return Splits(
            train_x=images(pool.pixels[train]),
            train_y=classes(pool.labels[train]),
            val_x=images(pool.pixels[val]),
            val_y=classes(pool.labels[val]),
            test_x=images(test.pixels),
            test_y=classes(test.labels),
        )

    def build(self, config: TrialConfig) -> nn.Module:
        return build_backbone(
            self._backbone, self.SHAPE, self.CLASSES, config, tokens=self.TOKENS, filters=self.FILTERS
        )


def channel_statistics(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C, 1, 1) over all pixels of (N, C, H, W); a constant channel has deviation 1."""
    values = np.arange(256)
    # From histograms: exact, and without a float copy of the whole set.
    shares = [np.bincount(channel.ravel(), minlength=256) / channel.size for channel in pixels.swapaxes(0, 1)]
    means = [float(share @ values) for share in shares]
    deviations = [float(np.sqrt(share @ (values - m) ** 2)) for share, m in zip(shares, means, strict=True)]
    return _per_channel(means), _per_channel([d or 1.0 for d in deviations])


def _per_channel(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1)
