"""The layers that the benchmarks put beside Dropout + Linear."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from pernodedrop import PerNodeDropLinear, regularized_linear

BASELINE = "Dropout + Linear"
MATERIALIZED = "materialized "  # begins the names of those with the mask in memory: B x I x J numbers

Build = Callable[[int, int], nn.Module]


def over_time(rate: float) -> dict[str, Build]:
    """PerNodeDrop with fresh, slowly changing and shared masks over the positions of a sample; the baseline first."""

    def pernode(stir: str, share_time: float, backend: str) -> Build:
        return lambda i, j: PerNodeDropLinear(
            i, j, drop_rate=rate, stir_type=stir, share_time=share_time, backend=backend
        )

    ways = [("bernoulli", rho, "kernel") for rho in (0.0, 0.5, 0.9, 1.0)]
    ways += [("gaussian", 0.0, "reparameterized"), ("gaussian", 1.0, "kernel")]
    ways += [("gaussian", 0.9, backend) for backend in ("flipout", "reparameterized", "mask")]
    ways += [("bernoulli", 0.9, "mask")]
    compared: dict[str, Build] = {BASELINE: lambda i, j: regularized_linear("dropout", i, j, drop_rate=rate)}
    return compared | {f"{stir}, share_time {rho:g}, {way}": pernode(stir, rho, way) for stir, rho, way in ways}


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
