"""The paper's backbone for images and spectrograms (arXiv:2512.12663)."""

from collections import OrderedDict
from math import prod

import torch
from torch import nn

from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation

FILTERS = (32, 64)  # of the two convolutional blocks
HIDDEN = 64  # units of the dense layer after the slot


def convolutional(
    shape: tuple[int, int, int], classes: int, config: TrialConfig, filters: tuple[int, int] = FILTERS
) -> nn.Sequential:
    """Images (B, C, H, W) of `shape` (C, H, W) to logits (B, classes).

    Two blocks of 'same' convolution and pooling, the place "map", the slot with `config.units` units and its
    activation, a dense layer, the logits.
    """
    channels, height, width = shape
    first, second = filters
    flat = prod((second, height // 4, width // 4))
    features = nn.Sequential(*_block(channels, first), *_block(first, second))
    features.add_module("map", nn.Identity())  # names of layers before it and behind stay those of old checkpoints
    features.add_module("6", nn.Flatten())
    # The images come in channels_last, which runs the convolutions twice as fast on a CPU.
    features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    hidden = nn.Sequential(nn.Linear(config.units, HIDDEN), nn.ReLU())
    logits = nn.Linear(HIDDEN, classes)
    slot = nn.Linear(flat, config.units)
    parts = OrderedDict(features=features, slot=slot, activation=activation(config), hidden=hidden, logits=logits)
    return nn.Sequential(parts)


def _block(channels: int, filters: int) -> tuple[nn.Module, ...]:
    # Pooling before the ReLU gives the same values as after it, from a quarter of the work.
    return nn.Conv2d(channels, filters, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()
