"""A small dense network, every layer of which is a slot."""

from collections import OrderedDict
from math import prod

from torch import nn

from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation


def dense(shape: tuple[int, int, int], classes: int, config: TrialConfig) -> nn.Sequential:
    """Images (B, C, H, W) of `shape` (C, H, W) to logits (B, classes): one hidden layer of `config.units` units.

    Without convolutions and normalizations the trial's noise is all the noise there is, and no two samples meet.
    """
    hidden = nn.Sequential(OrderedDict(slot=nn.Linear(prod(shape), config.units), activation=activation(config)))
    logits = nn.Sequential(OrderedDict(slot=nn.Linear(config.units, classes)))
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), hidden=hidden, logits=logits))
