"""Inputs and targets belong together: one target for each sample, and at least one sample."""

from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from workers.tasks.errors import InvalidInputs
from workers.tasks.inputs import Inputs
from workers.tasks.structure import described


def require_targets(x: Inputs, y: Any, xs: str, ys: str, *, of: str) -> None:
    """Return if y is a tensor with a target for each sample of x; `xs` and `ys` name them, and `of` what has both.

    Raises:
        InvalidInputs: it is something else, or has another number of rows; the message is one line.
    """
    if not isinstance(y, Tensor):
        raise InvalidInputs(f"{ys} of {of} must be a tensor, got {_kind(y)}: {_remedy(y)}")
    if (isinstance(x, Tensor) and x.dim() == 0) or y.dim() == 0:
        which = ys if y.dim() == 0 else xs
        raise InvalidInputs(f"{which} of {of} must have a row for each sample, got a single number")
    if len(y) != len(x):
        raise InvalidInputs(
            f"{ys} of {of} must have the {len(x)} samples of {xs}, got {len(y)}: give one target for each sample, in "
            "the same order"
        )


def require_samples(x: Inputs, split: str, *, of: str) -> None:
    """Return if the split of this name has a sample.

    Raises:
        InvalidInputs: it has none.
    """
    if len(x) == 0:
        remedy = f"leave out {split}_x and {split}_y" if split == "test" else "give it some"
        raise InvalidInputs(f"{split}_x of {of} must have at least one sample, got none: {remedy}")


def _kind(y: Any) -> str:
    return f"an array of {y.dtype}" if isinstance(y, np.ndarray) else described(y)


def _remedy(y: Any) -> str:
    """What makes a tensor of it; texts and objects have to be numbered first."""
    if y is None or isinstance(y, Real):
        return "give a target for each sample"
    if isinstance(y, list | tuple):
        is_numeric = all(isinstance(each, Real | np.bool_) for each in y)
    else:
        is_numeric = isinstance(y, np.ndarray) and y.dtype.kind in "biuf"
    return "use torch.as_tensor(...)" if is_numeric else "give numbers, of classes those from 0"
