"""The paper's network for images and spectrograms with each variant in its slot, from torch and the layers alone.

The same layers, names and first weights as `workers.tasks.backbones.convolutional`, which needs more packages than a
borrowed machine has.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import nn

from pernodedrop import regularize
from pernodedrop.names import MaskMode

FILTERS = (32, 64)  # of the two convolutional blocks
UNITS = 64  # of the layer in the slot
HIDDEN = 64  # units of the dense layer behind the slot
DROP_RATE = 0.5
NOISY_FRACTION = 0.5


@dataclass(frozen=True)
class Variant:
    """What stands in a network's slot."""

    regularizer: str
    stir_type: str = "bernoulli"  # pernodedrop only
    mask_mode: MaskMode = "dynamic"  # pernodedrop only

    @property
    def name(self) -> str:
        """As in the tables of a study's results."""
        if self.regularizer != "pernodedrop":
            return self.regularizer
        return f"{self.regularizer}-{self.stir_type}-{self.mask_mode}"

    @property
    def draws(self) -> bool:
        """Whether every training step draws anew."""
        return self.regularizer not in ("none", "masksembles") and self.mask_mode == "dynamic"


BASELINE = Variant("dropout")
_STIRS: tuple[str, ...] = ("bernoulli", "gaussian", "partial_gaussian")
_MODES: tuple[MaskMode, ...] = ("dynamic", "fixed")
VARIANTS = (
    BASELINE,  # first, so that a round that is cut short has what the others are compared with
    Variant("none"),
    Variant("gaussian_dropout"),
    Variant("dropconnect"),
    Variant("masksembles"),
    *(Variant("pernodedrop", stir, mode) for stir, mode in product(_STIRS, _MODES)),
)


def convolutional(
    shape: tuple[int, int, int], classes: int, units: int = UNITS, filters: tuple[int, int] = FILTERS
) -> nn.Sequential:
    """Images (B, C, H, W) of `shape` (C, H, W) to logits (B, classes); `slot` is a plain dense layer."""
    channels, height, width = shape
    first, second = filters
    flat = prod((second, height // 4, width // 4))
    features = nn.Sequential(*_block(channels, first), *_block(first, second))
    features.add_module("map", nn.Identity())
    features.add_module("6", nn.Flatten())
    features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    hidden = nn.Sequential(nn.Linear(units, HIDDEN), nn.ReLU())
    logits = nn.Linear(HIDDEN, classes)
    slot = nn.Linear(flat, units)
    return nn.Sequential(OrderedDict(features=features, slot=slot, activation=nn.ReLU(), hidden=hidden, logits=logits))


def with_variant(model: nn.Sequential, variant: Variant, drop_rate: float = DROP_RATE) -> nn.Sequential:
    """The model with the variant in its slot, in place; its weights are drawn already and stay."""
    regularize(
        model,
        variant.regularizer,
        lambda name, _: name.rpartition(".")[2] == "slot",
        drop_rate=drop_rate,
        stir_type=variant.stir_type,
        mask_mode=variant.mask_mode,
        noisy_fraction=NOISY_FRACTION,
    )
    return model


def _block(channels: int, filters: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, filters, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()
