"""Sparse inputs: rows on a device, cut into batches without waiting for it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class SparseRows:
    """The rows of a sparse matrix (N, F) on one device, in place of a tensor of inputs.

    Like a tensor it has len(rows), rows[a:b], rows[indices], rows.split(size), device and nbytes. A model gets a batch
    as such rows, and its first layer is a `SparseLinear`.
    """

    def __init__(self, columns: Tensor, values: Tensor, offsets: Tensor, bounds: list[int] | None = None) -> None:
        """Row i has `values` (nnz,) in `columns` (nnz,) from offsets[i] to offsets[i + 1].

        `offsets` (N + 1,) are int32 like `columns`, from 0; `bounds` are the same numbers on the host, so that a
        slice does not wait for the device.
        """
        self.columns, self.values, self.offsets = columns, values, offsets
        self._bounds: list[int] = offsets.tolist() if bounds is None else bounds

    @classmethod
    def from_scipy(cls, matrix: Any, device: torch.device) -> "SparseRows":
        """The rows of a scipy CSR matrix; below 2**31 entries."""

        def tensor(array: Any, dtype: torch.dtype) -> Tensor:
            return torch.from_numpy(array).to(device, dtype)

        return cls(
            tensor(matrix.indices, torch.int32),
            tensor(matrix.data, torch.float32),
            tensor(matrix.indptr, torch.int32),
        )

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, chosen: slice | Tensor) -> "SparseRows":
        """Some rows: a slice as views, or a copy of the rows with indices (M,)."""
        if isinstance(chosen, Tensor):
            return self._gathered(chosen)
        first, end, step = chosen.indices(len(self))
        if step != 1:
            raise ValueError(f"sparse rows are sliced with step 1, got {step}: use indices")
        end = max(first, end)
        bounds = self._bounds[first : end + 1]
        entries = slice(bounds[0], bounds[-1])
        offsets = self.offsets[first : end + 1] - bounds[0]
        return SparseRows(self.columns[entries], self.values[entries], offsets, [bound - bounds[0] for bound in bounds])

    def split(self, size: int) -> Iterator["SparseRows"]:
        """All rows in order, `size` at a time, the last fewer."""
        return (self[first : first + size] for first in range(0, len(self), size))

    def thinned(self, kept: Tensor) -> "SparseRows":
        """The rows with some of the entries, where `kept` (nnz,) is True, made as long (L2) as they were."""
        before = torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.cumsum(0)])
        offsets = before[self.offsets.long()]  # an entry's new place is the number of kept ones before it
        rows = torch.repeat_interleave(torch.arange(len(self), device=self.device), self.offsets.diff())
        squares = self.values.double().square()
        of_all, of_kept = (torch.zeros(len(self), dtype=torch.float64, device=self.device) for _ in range(2))
        of_all.index_add_(0, rows, squares)
        of_kept.index_add_(0, rows[kept], squares[kept])
        longer = (of_all / of_kept).sqrt().float()  # of no use where nothing is kept
        return SparseRows(self.columns[kept], self.values[kept] * longer[rows[kept]], offsets.to(torch.int32))

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def nbytes(self) -> int:
        return self.columns.nbytes + self.values.nbytes + self.offsets.nbytes

    def _gathered(self, rows: Tensor) -> "SparseRows":
        lengths = self.offsets.diff()[rows]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0, dtype=torch.int32)])
        moved = torch.repeat_interleave(self.offsets[rows] - offsets[:-1], lengths)  # old place less the new one
        entries = moved + torch.arange(len(moved), device=moved.device)
        return SparseRows(self.columns[entries], self.values[entries], offsets)
