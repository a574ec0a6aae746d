"""Random samples that a network can learn from, of the shapes of two of the workers' tasks."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.gpu.networks import FILTERS, UNITS, convolutional
from benchmarks.gpu.setting import Setting


@dataclass(frozen=True)
class Task:
    """The sizes of a task's training split, and of the paper's network for it."""

    name: str
    samples: int
    shape: tuple[int, int, int]  # channels, height, width
    classes: int
    batch: int = 128
    units: int = UNITS
    filters: tuple[int, int] = FILTERS

    @property
    def steps(self) -> int:
        """Full batches of an epoch."""
        return self.samples // self.batch

    def network(self, seed: int = 0) -> nn.Sequential:
        """The network with the first weights of this seed, on the CPU."""
        torch.manual_seed(seed)
        return convolutional(self.shape, self.classes, self.units, self.filters)

    def __str__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        return f"{self.name}, {self.samples:,} x {sizes}, batch {self.batch}"


def cifar10(setting: Setting) -> Task:
    """Small images in ten classes."""
    small = Task("cifar10", 96, (3, 8, 8), 10, batch=16, units=8, filters=(4, 8))
    return setting.pick(Task("cifar10", 50_000, (3, 32, 32), 10), small)


def speech_commands(setting: Setting) -> Task:
    """Spectrograms of eight words; eight tenths of the 8,000 recordings are trained on."""
    small = Task("speech_commands", 64, (1, 16, 16), 8, batch=16, units=8, filters=(4, 8))
    return setting.pick(Task("speech_commands", 6_400, (1, 128, 128), 8), small)


class Samples(NamedTuple):
    """Inputs (N, C, H, W) and classes (N,) on the device."""

    x: Tensor
    y: Tensor

    def first(self, count: int) -> "Samples":
        """As many of them."""
        return Samples(self.x[:count], self.y[:count])

    def batches(self, size: int, count: int) -> list[Tensor]:
        """The samples' indices for as many full batches of one epoch, in a random order."""
        order = torch.randperm(len(self.y), device=self.y.device)
        return list(torch.split(order[: count * size], size))


def drawn(task: Task, device: torch.device, count: int | None = None) -> Samples:
    """Noise around a pattern of each class; as many samples as the task has, or `count`."""
    random = torch.Generator(device).manual_seed(0)
    size = task.samples if count is None else count
    y = torch.randint(task.classes, (size,), generator=random, device=device)
    patterns = torch.randn(task.classes, prod(task.shape), generator=random, device=device)
    x = torch.randn(size, prod(task.shape), generator=random, device=device).add_(patterns[y])
    images = x.reshape(size, *task.shape)
    return Samples(images.contiguous(memory_format=torch.channels_last), y)
