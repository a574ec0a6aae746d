"""Masksembles (Durasov et al. 2021, arXiv:2012.08334): a few fixed masks with a chosen overlap."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from pernodedrop.laws import check_drop_rate

MASKS = 4
SCALES = (1.0, 6.0)
_DRAWS = 100


class OneMaskAtATime(Protocol):
    """A layer of several masks that can be told to use one for all samples."""

    masks: Tensor  # (n, F)
    only: int | None  # its number; None: each chunk of the batch has its own


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


def ensemble_predict(model: Callable[[Tensor], Tensor], x: Tensor, masks: int | None = None) -> Tensor:
    """The mean prediction over the masks of a model's Masksembles layers: one call of model(x) by each mask.

    Every call sees the whole of x (B, ...), so that a model may split its batch as it likes. `masks` is how many there
    are, if you want to be sure. Where the model is no nn.Module, the first call finds the layers.

    Raises:
        ValueError: there is no layer with masks, their numbers differ, or they have not `masks` masks.
    """
    met: list[OneMaskAtATime] = []
    before: list[int | None] = []

    def meet(module: nn.Module, _inputs: object) -> None:
        if not (hasattr(module, "masks") and hasattr(module, "only")):
            return
        layer = cast(OneMaskAtATime, module)
        if not any(layer is other for other in met):
            met.append(layer)
            before.append(layer.only)
            layer.only = 0

    hook = None
    try:
        if isinstance(model, nn.Module):
            for module in model.modules():
                meet(module, ())
            _count(met, masks)
            total: Tensor = model(x)
        else:
            hook = register_module_forward_pre_hook(meet)
            total = model(x)
            hook.remove()
        count = _count(met, masks)
        for number in range(1, count):
            for layer in met:
                layer.only = number
            total = total + model(x)
        return total / count
    finally:
        if hook is not None:
            hook.remove()
        for layer, only in zip(met, before, strict=True):
            layer.only = only


def _count(layers: Sequence[OneMaskAtATime], wanted: int | None) -> int:
    """How many masks each of the layers has."""
    counts = {layer.masks.shape[0] for layer in layers}
    if len(counts) != 1:
        found = f"layers of {' and '.join(map(str, sorted(counts)))} masks" if counts else "no Masksembles layer"
        raise ValueError(f"ensemble_predict needs a model with one number of masks, got {found}")
    (count,) = counts
    if wanted not in (None, count):
        raise ValueError(f"masks must be what the model has, {count}, got {wanted}")
    return count


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
