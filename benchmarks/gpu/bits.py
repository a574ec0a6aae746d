"""Where two states or two lists of figures differ, bit by bit."""

from collections.abc import Mapping
from struct import pack

import torch
from torch import Tensor

_FREE = ("seconds", "bytes")  # ends of the names of figures that say how, not what was trained


def first_difference(one: object, other: object, place: str = "") -> str | None:
    """Where the first part of `other` lies that is not the same in `one`, by bits; None where all are."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return None if same_bits(one, other) else place
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return f"{place} (the names)"
        found = (first_difference(one[key], other[key], f"{place}.{key}".lstrip(".")) for key in one)
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return f"{place} (the number)"
        found = (
            first_difference(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(one, other, strict=True))
        )
    elif isinstance(one, float) and isinstance(other, float):
        return None if pack("d", one) == pack("d", other) else f"{place}: {one!r} and {other!r}"
    else:
        return None if one == other else f"{place}: {one!r} and {other!r}"
    return next((difference for difference in found if difference is not None), None)


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Also where they hold NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.numel() == 0:
        return True
    return torch.equal(*(tensor.detach().cpu().reshape(-1).view(torch.uint8) for tensor in (one, other)))


def bound(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures that a resumed trial must repeat."""
    return {name: value for name, value in metrics.items() if not name.endswith(_FREE)}
