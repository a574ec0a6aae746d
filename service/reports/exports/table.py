"""Columns of equal length, each with one type, to be written as CSV or Parquet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["bool", "int", "float", "text"]


@dataclass(frozen=True)
class Column:
    """Values of one kind; None where a value is missing."""

    kind: Kind
    values: Sequence[Any]


Table = Mapping[str, Column]  # in the order of the columns


def mixed_column(values: Iterable[Any]) -> Column:
    """A column of settings, of the narrowest kind that holds them all; text if no other kind does."""
    given = list(values)
    kinds = {type(value) for value in given if value is not None}
    if kinds == {bool}:
        return Column("bool", given)
    if kinds == {int}:
        return Column("int", given)
    if kinds and kinds <= {int, float}:
        return Column("float", [None if value is None else float(value) for value in given])
    return Column("text", [None if value is None else str(value) for value in given])
