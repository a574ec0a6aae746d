"""A small residual network (He et al. 2016, arXiv:1512.03385), with the slot in its classification head."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation

CHANNELS = (16, 32, 64)  # of the three stages, one block each: ResNet-8
MAP = 32  # pixels a side: the first convolution reduces larger images to about this


def residual(shape: tuple[int, int, int], classes: int, config: TrialConfig) -> nn.Sequential:
    """Images (B, C, H, W) of `shape` (C, H, W) to logits (B, classes).

    A convolution, three residual blocks at full, half and quarter size, the place "map", the mean over the map, the
    slot with `config.units` units and its activation, the logits. Each block has a place "branch".
    """
    first, second, third = CHANNELS
    stride = max(1, max(shape[1:]) // MAP)
    features = nn.Sequential(
        _convolution(shape[0], first, 2 * stride + 1, stride),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        ResidualBlock(first, first, stride=1),
        ResidualBlock(first, second, stride=2),
        ResidualBlock(second, third, stride=2),
    )
    features.add_module("map", nn.Identity())
    features.add_module("6", nn.AdaptiveAvgPool2d(1))
    features.add_module("7", nn.Flatten())
    features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    slot, logits = nn.Linear(third, config.units), nn.Linear(config.units, classes)
    parts = OrderedDict(features=features, slot=slot, activation=activation(config), logits=logits)
    return nn.Sequential(parts)


class ResidualBlock(nn.Module):
    """relu(shortcut(x) + two convolutions of x), maps (B, C, H, W) to (B, C', H / stride, W / stride)."""

    def __init__(self, channels: int, filters: int, *, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _convolution(channels, filters, 3, stride),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            _convolution(filters, filters, 3, 1),
            nn.BatchNorm2d(filters),
        )
        self.branch.add_module("branch", nn.Identity())
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != filters:
            self.shortcut = nn.Sequential(_convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.shortcut(x) + self.branch(x))


def _convolution(channels: int, filters: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False)  # a normalization follows
