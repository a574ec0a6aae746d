"""Columns of equal length, each with one type, to be written as CSV or Parquet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["bool", "int", "float", "text"]
PIECE = 10_000  # rows that are objects at once: a table of curves has millions


@dataclass(frozen=True)
class Column:
    """Values of one kind; None where a value is missing."""

    kind: Kind
    values: Sequence[Any] | NDArray[Any]
    at: NDArray[np.int64] | None = None  # every row's index into `values`, -1 where it has none; else they are the rows

    def __len__(self) -> int:
        return len(self.values if self.at is None else self.at)

    def pieces(self) -> Iterator[list[Any]]:
        """The rows in lists of at most PIECE."""
        for start in range(0, len(self), PIECE):
            yield self._rows(slice(start, start + PIECE))

    def _rows(self, part: slice) -> list[Any]:
        if self.at is None:
            rows = self.values[part]
            return rows.tolist() if isinstance(rows, np.ndarray) else list(rows)
        at = self.at[part]
        if isinstance(self.values, np.ndarray) and len(self.values):
            found = self.values[at].tolist()
            return [None if index < 0 else value for index, value in zip(at.tolist(), found, strict=True)]
        return [None if index < 0 else self.values[index] for index in at.tolist()]


Table = Mapping[str, Column]  # in the order of the columns


def mixed_column(values: Iterable[Any], at: NDArray[np.int64] | None = None) -> Column:
    """A column of settings, of the narrowest kind that holds them all; text if no other kind does."""
    given = list(values)
    kinds = {type(value) for value in given if value is not None}
    if kinds == {bool}:
        return Column("bool", given, at)
    if kinds == {int}:
        return Column("int", given, at)
    if kinds and kinds <= {int, float}:
        return Column("float", [None if value is None else float(value) for value in given], at)
    return Column("text", [None if value is None else str(value) for value in given], at)
