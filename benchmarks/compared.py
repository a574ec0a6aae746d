"""The layers that the benchmarks put beside Dropout + Linear."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from pernodedrop import PerNodeDropLinear, regularized_linear

BASELINE = "Dropout + Linear"
MATERIALIZED = "materialized "  # begins the names of those with the mask in memory: B x I x J numbers

Build = Callable[[int, int], nn.Module]


def layers(rate: float, fraction: float, reference: bool, compiled: bool) -> dict[str, Build]:
    """The compared layers by their name in the table; the baseline first."""

    def pernode(stir: str, **settings: Any) -> Build:
        return lambda i, j: PerNodeDropLinear(i, j, drop_rate=rate, stir_type=stir, noisy_fraction=fraction, **settings)

    def slot(regularizer: str) -> Build:
        return lambda i, j: regularized_linear(regularizer, i, j, drop_rate=rate)

    compared = {
        BASELINE: slot("dropout"),
        "GaussianDropout + Linear": slot("gaussian_dropout"),
        "DropConnect": slot("dropconnect"),
        "PerNodeDrop gaussian": pernode("gaussian"),
        "PerNodeDrop bernoulli": pernode("bernoulli"),
        "PerNodeDrop partial gaussian": pernode("partial_gaussian"),
        "PerNodeDrop fixed": pernode("bernoulli", mask_mode="fixed"),
        "PerNodeDrop gaussian, mask-exact": pernode("gaussian", backend="kernel"),
        "PerNodeDrop gaussian, flipout": pernode("gaussian", backend="flipout"),
    }
    if reference:
        compared[f"{MATERIALIZED}bernoulli"] = pernode("bernoulli", backend="mask")
        compared[f"{MATERIALIZED}gaussian"] = pernode("gaussian", backend="mask")
    if compiled:

        def traced(i: int, j: int) -> nn.Module:
            return cast(nn.Module, torch.compile(pernode("bernoulli", backend="mask")(i, j)))

        compared[f"{MATERIALIZED}bernoulli, torch.compile"] = traced
    return compared
