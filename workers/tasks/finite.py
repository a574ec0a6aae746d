"""Numbers of a data set that are nan or infinite: a model may mask them, else its loss becomes nan."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from workers.tasks.base import Splits
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.streamed import READ_AT_ONCE, Streamed
from workers.tasks.structure import Structured, leaves

SPLITS = ("train", "val", "test")
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def not_finite(data: Splits, splits: tuple[str, ...] = SPLITS, *, streamed: bool = False) -> Iterator[str]:
    """A sentence, without its point, for the inputs and the targets of each split that hold such numbers.

    What lies on disk (`Streamed`) is read only with `streamed`, once.
    """
    for split in splits:
        for name, given in (("inputs", getattr(data, f"{split}_x")), ("targets", getattr(data, f"{split}_y"))):
            rows = _rows_of(given, streamed)
            if rows:
                samples = "1 sample" if rows == 1 else f"{rows} samples"
                yield f"the {split} {name} hold nan or infinite numbers in {samples} of {len(given)}"


def _rows_of(given: Any, streamed: bool) -> int:
    """How many samples have a number that is nan or infinite, in the part where most have."""
    if isinstance(given, Streamed) and streamed:
        batches = ([_rows_of_one(part) for _, part in leaves(batch)] for batch in given.batches(READ_AT_ONCE))
        return max(map(sum, zip(*batches, strict=True)), default=0)
    parts = [part for _, part in leaves(given.parts)] if isinstance(given, Structured) else [given]
    return max(map(_rows_of_one, parts))


@torch.no_grad()
def _rows_of_one(part: Any) -> int:
    values = part.values if isinstance(part, SparseRows) else part
    if not isinstance(values, Tensor) or values.dtype not in _DTYPES or values.numel() == 0:
        return 0
    if all(bool(each.isfinite()) for each in values.aminmax()):  # one pass without a copy; nan is both
        return 0
    if not isinstance(part, SparseRows):
        return int((~part.isfinite()).flatten(1).any(1).sum()) if part.dim() > 1 else int((~part.isfinite()).sum())
    rows = torch.repeat_interleave(torch.arange(len(part), device=part.device), part.offsets.diff())
    return int((rows[~values.isfinite()].bincount() > 0).sum())
