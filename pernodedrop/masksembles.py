"""Masksembles (Durasov et al. 2021, arXiv:2012.08334): a few fixed masks with a chosen overlap."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pernodedrop.laws import check_drop_rate

MASKS = 4
SCALES = (1.0, 6.0)
_DRAWS = 100


def scale_of(drop_rate: float) -> float:
    """The scale S = 1 / (1 - p).

    Raises:
        ValueError: p lies outside [0, 1), or S outside [1, 6], where no masks are defined.
    """
    check_drop_rate(drop_rate)
    scale = 1.0 / (1.0 - drop_rate)
    low, high = SCALES
    if not low <= scale <= high * (1.0 + 1e-9):
        raise ValueError(
            f"masksembles needs a scale 1 / (1 - drop_rate) in [{low:g}, {high:g}], got {scale:g} "
            f"for drop_rate {drop_rate}: choose a rate of at most {1.0 - 1.0 / high:.3f}"
        )
    return scale


def effective_drop_rate(drop_rate: float, masks: int = MASKS) -> float:
    """The share of zeros in the masks, 1 - (1 - p) / (1 - p^n): columns that every mask drops are removed."""
    return 1.0 - (1.0 - drop_rate) / (1.0 - drop_rate**masks)


def generate_masks(
    features: int, drop_rate: float, masks: int = MASKS, *, generator: torch.Generator | None = None
) -> Tensor:
    """`masks` binary vectors (masks, features), each with the same number of ones, no column all zero.

    Each mask places its ones at random over ones * S positions; empty columns are dropped. Of random
    placements the one whose remaining width is exactly `features` is searched over the number of positions.

    Raises:
        ValueError: fewer than one feature or mask, an infeasible rate, or no masks of that exact width.
    """
    if features < 1 or masks < 1:
        raise ValueError(f"masksembles needs at least 1 feature and 1 mask, got {features} and {masks}")
    scale = scale_of(drop_rate)
    ones = max(1, round(features * (1.0 - effective_drop_rate(drop_rate, masks))))
    for _ in range(_DRAWS):
        keys = torch.rand(masks, math.ceil(ones * scale) + features, generator=generator, device="cpu")
        found = _masks_of_width(features, ones, keys)
        if found is not None:
            return found
    raise ValueError(
        f"masksembles found no {masks} masks of width {features} at drop_rate {drop_rate}: "
        "use more features or a lower rate"
    )


def ensemble_predict(model: Callable[[Tensor], Tensor], x: Tensor, masks: int = MASKS) -> Tensor:
    """The mean prediction over the masks: x (B, ...) is tiled `masks` times, so that tile g meets mask g."""
    outputs = model(x.repeat(masks, *[1] * (x.dim() - 1)))
    return outputs.reshape(masks, x.shape[0], *outputs.shape[1:]).mean(0)


def _masks_of_width(features: int, ones: int, keys: Tensor) -> Tensor | None:
    """The masks of `ones` smallest keys among the first P positions, for the P that leaves `features` columns.

    The width grows with P up to noise, so bisection brings P close and the neighbours are tried in turn.
    """
    low, high = ones, keys.shape[1]
    while low < high:
        middle = (low + high) // 2
        if _placed(ones, keys[:, :middle]).shape[1] < features:
            low = middle + 1
        else:
            high = middle
    for positions in range(low, min(low + keys.shape[0], keys.shape[1]) + 1):
        placed = _placed(ones, keys[:, :positions])
        if placed.shape[1] == features:
            return placed
    return None


def _placed(ones: int, keys: Tensor) -> Tensor:
    placed = torch.zeros_like(keys).scatter_(1, keys.topk(ones, largest=False).indices, 1.0)
    return placed[:, placed.any(0)]
