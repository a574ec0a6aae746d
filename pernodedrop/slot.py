"""The regularizer slot of a network: any variant in front of, or inside, one dense layer."""

from collections import OrderedDict

import torch
from torch import nn

from pernodedrop.layers.dropconnect import DropConnectLinear
from pernodedrop.layers.gaussian_dropout import GaussianDropout
from pernodedrop.layers.masksembles import Masksembles
from pernodedrop.layers.pernode_linear import PerNodeDropLinear
from pernodedrop.names import REGULARIZERS, Backend, MaskMode, Regularizer, StirType
from pernodedrop.stir import CustomStir, check_drop_rate


def regularized_linear(
    regularizer: Regularizer,
    in_features: int,
    out_features: int,
    *,
    drop_rate: float = 0.5,
    stir_type: StirType | CustomStir = "bernoulli",
    mask_mode: MaskMode = "dynamic",
    noisy_fraction: float = 1.0,
    backend: Backend = "auto",
    generator: torch.Generator | None = None,
) -> nn.Module:
    """A dense layer (I to J features) with its regularizer; every variant has the same parameters.

    `generator` feeds every draw but that of "dropout", which is torch's own and follows torch's seed.

    Raises:
        ValueError: an unknown name, a rate outside its range, or a rate that Masksembles has no masks for.
    """
    check_drop_rate(drop_rate)
    match regularizer:
        case "none":
            return nn.Linear(in_features, out_features)
        case "pernodedrop":
            return PerNodeDropLinear(
                in_features,
                out_features,
                drop_rate=drop_rate,
                stir_type=stir_type,
                mask_mode=mask_mode,
                noisy_fraction=noisy_fraction,
                backend=backend,
                generator=generator,
            )
        case "dropconnect":
            return DropConnectLinear(in_features, out_features, drop_rate=drop_rate, generator=generator)
        case _:
            before = feature_regularizer(regularizer, in_features, drop_rate, generator)
            return nn.Sequential(OrderedDict(regularizer=before, dense=nn.Linear(in_features, out_features)))


def feature_regularizer(
    regularizer: Regularizer, features: int, drop_rate: float, generator: torch.Generator | None
) -> nn.Module:
    """The variants that act on the features in front of a dense layer.

    Raises:
        ValueError: an unknown name or a rate outside its range.
    """
    match regularizer:
        case "dropout":
            return nn.Dropout(drop_rate)
        case "gaussian_dropout":
            return GaussianDropout(drop_rate, generator=generator)
        case "masksembles":
            return Masksembles(features, drop_rate=drop_rate, generator=generator)
        case _:
            raise ValueError(f"regularizer must be one of {', '.join(REGULARIZERS)}, got {regularizer!r}")
