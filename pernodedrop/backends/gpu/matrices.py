# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's functions take plain positional arguments
"""Pieces of contiguous matrices, in single precision, 0 beyond their edges."""

import triton.language as tl

from pernodedrop.backends.gpu.factors import inner


@inner
def piece(pointer, rows, columns, row, column):
    """Entries (len(row), len(column)) of a matrix (rows, columns)."""
    at = row.to(tl.int64)[:, None] * columns + column[None, :]
    return tl.load(pointer + at, mask=(row < rows)[:, None] & (column < columns)[None, :], other=0.0).to(tl.float32)


@inner
def turned(pointer, rows, columns, row, column):
    """The same entries as (len(column), len(row)); memory is still read along the columns."""
    at = row.to(tl.int64)[None, :] * columns + column[:, None]
    return tl.load(pointer + at, mask=(row < rows)[None, :] & (column < columns)[:, None], other=0.0).to(tl.float32)


@inner
def put(pointer, rows, columns, row, column, values):
    """Store values (len(row), len(column)) into a matrix (rows, columns)."""
    at = row.to(tl.int64)[:, None] * columns + column[None, :]
    tl.store(pointer + at, values, mask=(row < rows)[:, None] & (column < columns)[None, :])
