"""Image classification: standardized pixels on the device, and the backbone that the study chooses."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks.backbones import FILTERS, Patches, Tokens, backbone_option, build_backbone
from workers.tasks.base import Splits, Task
from workers.tasks.corruptions import LEVELS, Pixels, corrupted
from workers.tasks.held_out import HeldOut, held_out_names, held_out_option
from workers.tasks.options import check_options
from workers.tasks.out_of_distribution import InputSet, Levels, Sets, semantic, sets_of
from workers.tasks.splitting import Division, Indices, Labels, Partition


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes, as read."""

    pixels: Pixels
    labels: Labels

    def at(self, indices: Indices) -> "LabelledImages":
        """Those at the indices."""
        return LabelledImages(self.pixels[indices], self.labels[indices])

    def with_those(self, others: "LabelledImages") -> "LabelledImages":
        """These and then the others."""
        return LabelledImages(
            np.concatenate([self.pixels, others.pixels]), np.concatenate([self.labels, others.labels])
        )

    def without(self, held_out: HeldOut) -> "LabelledImages":
        """The images of the other classes, which are numbered anew."""
        if not held_out.classes:
            return self
        left = self.at(np.flatnonzero(~held_out.has(self.labels)))
        return LabelledImages(left.pixels, held_out.renumbered(left.labels))


@dataclass(frozen=True)
class Unseen:
    """The images that no training sees, and the training split's mean and deviation (C, 1, 1)."""

    test: LabelledImages
    held_out: Pixels  # of the test split
    mean: Tensor
    deviation: Tensor

    def standardized(self, pixels: Pixels, device: torch.device) -> Tensor:
        """Images as the model takes them."""
        x = torch.from_numpy(pixels).to(device, torch.float32, memory_format=torch.channels_last)
        return x.sub_(self.mean.to(device)).div_(self.deviation.to(device))


class ImageTask(Task):
    """A data set of equally sized images; a subclass reads it and names its shape.

    The option `held_out` names classes that leave all splits; the classes after them are numbered anew.
    """

    augmentations = ("flip_crop",)

    SHAPE: ClassVar[tuple[int, int, int]]  # channels, height, width
    CLASSES: ClassVar[int]
    NAMES: ClassVar[tuple[str, ...]] = ()  # of the classes; none: their numbers
    WHITE: ClassVar[int] = 255  # the brightest shade, 0 the darkest
    CORRUPTIONS: ClassVar[tuple[str, ...]] = ()  # of workers.tasks.corruptions, that suit the images
    BACKBONES: ClassVar[tuple[str, ...]] = ("paper", "resnet", "transformer", "mlp")
    FILTERS: ClassVar[tuple[int, int]] = FILTERS  # of the paper's backbone
    TOKENS: ClassVar[type[Tokens]] = Patches  # of the backbones for sequences

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("backbone", "val_size", "split_seed", "held_out"))
        self._backbone = backbone_option(spec, self.BACKBONES)
        self._partition = Partition.of(spec)
        self._held_out = held_out_option(spec, self.NAMES or [str(number) for number in range(self.CLASSES)])
        self._unseen: Unseen | None = None  # until the data are loaded

    @abc.abstractmethod
    def read(self) -> tuple[LabelledImages, LabelledImages]:
        """The pool for training and validation, and the test split."""

    def load(self, device: torch.device) -> Splits:
        """Split, and standardize each channel by the training split's mean and deviation."""
        return self._splits_of(*self.read(), self._partition, device)

    def split(self, device: torch.device, division: Division) -> Splits:
        """As `load`, with another partition of what is not tested; a fold is of all images together."""
        pool, test = self.read()
        if division.fold is not None:
            images = pool.with_those(test)
            pool, test = (images.at(indices) for indices in division.fold.cut(images.labels))
        return self._splits_of(pool, test, self._partition.drawn_by(division.seed), device)

    def _splits_of(
        self, pool: LabelledImages, test: LabelledImages, partition: Partition, device: torch.device
    ) -> Splits:
        held_out = test.pixels[self._held_out.has(test.labels)]
        pool, test = pool.without(self._held_out), test.without(self._held_out)
        train, val = partition.indices(pool.labels)
        self._unseen = unseen = Unseen(test, held_out, *channel_statistics(pool.pixels[train]))

        def images(pixels: Pixels) -> Tensor:
            return unseen.standardized(pixels, device)

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

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        """held_out: the test images of the held-out classes; a corruption's name: the test images spoiled by it."""
        return sets_of(self.spec, name, self.sets(device))

    def sets(self, device: torch.device) -> Sets:
        """What `out_of_distribution` has, by name."""

        def spoiled(corruption: str) -> Sequence[InputSet]:
            unseen = self.unseen(device)

            def at(level: int) -> Tensor:
                pixels = corrupted(unseen.test.pixels, corruption, level, white=self.WHITE)
                return unseen.standardized(pixels, device)

            return Levels(corruption, LEVELS, at, torch.from_numpy(unseen.test.labels).to(device))

        def held_out() -> Sequence[InputSet]:
            unseen = self.unseen(device)
            return semantic(unseen.standardized(unseen.held_out, device), ", ".join(held_out_names(self.spec)))

        return {"held_out": held_out} | {name: partial(spoiled, name) for name in self.CORRUPTIONS}

    def unseen(self, device: torch.device) -> Unseen:
        """The images that no training on `device` sees."""
        self.splits(device)
        assert self._unseen is not None
        return self._unseen

    def build(self, config: TrialConfig) -> nn.Module:
        return build_backbone(
            self._backbone, self.SHAPE, self._held_out.left, config, tokens=self.TOKENS, filters=self.FILTERS
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
