"""Columns of equal length, each with one type: what CSV and Parquet files are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["bool", "int", "float", "text"]


@dataclass(frozen=True)
class Column:
    """Values of one kind; None where there is nothing."""

    kind: Kind
    values: Sequence[Any]


Table = Mapping[str, Column]  # in the order of the columns


def mixed_column(values: Iterable[Any]) -> Column:
    """A column of settings: of the narrowest kind that holds them all, words where they have nothing in common."""
    given = list(values)
    kinds = {type(value) for value in given if value is not None}
    if kinds == {bool}:
        return Column("bool", given)
    if kinds == {int}:
        return Column("int", given)
    if kinds and kinds <= {int, float}:
        return Column("float", [None if value is None else float(value) for value in given])
    return Column("text", [None if value is None else str(value) for value in given])
