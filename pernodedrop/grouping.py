"""Inputs by the mask that they meet: each sample its own, or groups of samples one.

With one group a dense layer's masks are DropConnect's, with as many as samples PerNodeDrop's. The law of one sample is
the same for any number, and so is the expected loss; the gradient's noise is not.
"""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor


def check_groups(groups: int | None) -> None:
    """Raises ValueError unless the number of groups is None or a whole number of at least 1."""
    if groups is not None and (isinstance(groups, bool) or not isinstance(groups, int) or groups < 1):
        raise ValueError(f"mask_groups must be None or a whole number of at least 1, got {groups!r}")


def check_batch_dim(batch_dim: Any) -> None:
    """Raises ValueError unless it is a whole number of at least 0."""
    if isinstance(batch_dim, bool) or not isinstance(batch_dim, Integral) or batch_dim < 0:
        raise ValueError(
            f"batch_dim must be a whole number of at least 0, got {batch_dim!r}: 0 for (B, T, I), 1 for (T, B, I)"
        )


def check_samples_at(batch_dim: int, shape: Sequence[int]) -> None:
    """Raises ValueError unless an input of this shape (..., I) has its samples before its features."""
    if batch_dim >= len(shape) - 1:
        raise ValueError(
            f"x must have its samples before its last dimension, got shape {tuple(shape)} with batch_dim={batch_dim}: "
            "set another batch_dim"
        )


def by_mask(x: Tensor, *, share_time: bool, groups: int | None) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The inputs x (B, ..., I) as rows (M, P, I) of M masks, and the way back of what is computed from each row.

    The batch is cut into contiguous groups, whose sizes differ by at most one; None, or at least B: each sample is a
    group. The positions of a group's samples have one mask; without `share_time` those at one position. Samples without
    positions, each with a mask of its own, are rows as they are: (B, I).
    """
    leading, features = x.shape[:-1], x.shape[-1]
    if groups is None or not leading or groups >= leading[0]:
        if len(leading) == 1:
            return x, lambda y: y
        samples, positions = (leading[0], leading[1:].numel()) if share_time and leading else (leading.numel(), 1)
        return x.reshape(samples, positions, features), lambda y: y.reshape(*leading, y.shape[-1])
    parts, places = _cut(x, groups)  # G, S, ..., I
    if not share_time:
        parts = parts.movedim(1, -2)  # G, ..., S, I
    masks = groups if share_time else parts.shape[:-2].numel()
    shape = parts.shape[:-1]

    def back(y: Tensor) -> Tensor:
        y = y.reshape(*shape, y.shape[-1])
        samples = (y if share_time else y.movedim(-2, 1)).flatten(0, 1)
        return samples if places is None else samples.index_select(0, places)

    return parts.reshape(masks, shape.numel() // masks if masks else 0, features), back


def by_process(x: Tensor, groups: int | None) -> tuple[Tensor, int, Callable[[Tensor], Tensor]]:
    """The inputs x (B, T, I) as rows (M, T * R, I) of M processes, the number R of rows a position, and the way back.

    A process of masks is a sample's, or a group's as in `by_mask`; its rows at one position have one mask.
    """
    if groups is None or groups >= x.shape[0]:
        return x, 1, lambda y: y
    parts, places = _cut(x, groups)  # G, S, T, I
    count, size, positions = parts.shape[:3]

    def back(y: Tensor) -> Tensor:
        samples = y.reshape(count, positions, size, -1).movedim(1, 2).flatten(0, 1)
        return samples if places is None else samples.index_select(0, places)

    return parts.movedim(1, 2).flatten(1, 2), size, back


def _cut(x: Tensor, groups: int) -> tuple[Tensor, Tensor | None]:
    """The groups (G, S, ...) of x (B, ...), and its samples' places among the G * S; None where all are taken.

    A group of fewer than S samples ends in zeros.
    """
    samples, size = x.shape[0], -(-x.shape[0] // groups)
    if samples == groups * size:
        return x.reshape(groups, size, *x.shape[1:]), None
    sample = torch.arange(samples, device=x.device)
    group = sample * groups // samples
    first = (group * samples + groups - 1) // groups  # sample of its group
    places = group * size + sample - first
    rows = x.new_zeros(groups * size, *x.shape[1:]).index_copy(0, places, x)
    return rows.reshape(groups, size, *x.shape[1:]), places
