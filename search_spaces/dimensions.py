"""A dimension: the range or the choices of one searched parameter, and the condition it is searched under."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from math import isclose
from typing import Annotated, Any, Literal, overload

from pydantic import BeforeValidator, Field

from search_spaces.part import Part
from search_spaces.scalars import Integer, Number, ParameterName, Scalar

MOST_CHOICES = 256
MOST_DIMENSIONS = 64

LOW = "The least value, which is taken too."
HIGH = "The largest value, which is taken too."
LOG = "The scale is logarithmic: from 0.001 to 0.01 is as far as from 0.01 to 0.1."

Value = str | int | float | bool
Choices = Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1, max_length=MOST_CHOICES)]


def one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float) else value


Allowed = Annotated[Choices, BeforeValidator(one_or_several, json_schema_input_type=Scalar | Choices)]


class DimensionPart(Part):
    """The fields that every dimension has besides its values."""

    when: dict[ParameterName, Allowed] = Field(
        default={},
        max_length=MOST_DIMENSIONS,
        description="The dimension is searched only while every named parent has one of the values given here.",
    )
    parameter: ParameterName | None = Field(
        default=None,
        description="The dimension sets this parameter; the default is the dimension's name. "
        "One parameter may have several ranges, under conditions that exclude each other.",
    )


class FloatDimension(DimensionPart):
    """A float dimension takes a number in [low, high], on a logarithmic scale or on the grid low + k * step."""

    type: Literal["float"] = "float"
    low: Number = Field(description=LOW)
    high: Number = Field(description=HIGH)
    log: bool = Field(default=False, description=LOG)
    step: Number | None = Field(default=None, description="Only low, low + step, ... are taken; high is one of them.")

    def settled(self, value: float) -> float:
        """Return the value as the grid has it: samplers add up steps in binary, and 3 * 0.1 is not 0.3."""
        if self.step is None or self.low == self.high:
            return value
        return _steps(self.low, self.high, self.step)[round((value - self.low) / self.step)]

    @property
    def values(self) -> Sequence[float] | None:
        """The finitely many values in rising order, or None for an interval."""
        if self.low == self.high:
            return (self.low,)
        return None if self.step is None else Steps(self.low, self.high, self.step)


class IntDimension(DimensionPart):
    """An int dimension takes a whole number in [low, high], on a logarithmic scale or every step-th from low."""

    type: Literal["int"] = "int"
    low: Integer = Field(description=LOW)
    high: Integer = Field(description=HIGH)
    log: bool = Field(default=False, description=LOG)
    step: Integer = Field(default=1, description="Only low, low + step, ... are taken.")

    @property
    def values(self) -> Sequence[int]:
        """All values, rising."""
        return range(self.low, self.high + 1, self.step)


class CategoricalDimension(DimensionPart):
    """A categorical dimension takes one of its choices, which have no order."""

    type: Literal["categorical"] = "categorical"
    choices: Choices = Field(description="The values: numbers, texts, true or false, and no two alike.")

    @property
    def values(self) -> Sequence[Value]:
        """The choices as written."""
        return self.choices


Dimension = Annotated[FloatDimension | IntDimension | CategoricalDimension, Field(discriminator="type")]


def matching(dimension: "FloatDimension | IntDimension | CategoricalDimension", value: Value) -> Value | None:
    """The value as the dimension has it, or None where it has no such value.

    1.0 is the choice or the whole number 1, and 0.30000000000000004 is the step 0.3; true is not 1.
    """
    if isinstance(dimension, CategoricalDimension):
        same = (choice for choice in dimension.choices if choice == value and is_truth(choice) == is_truth(value))
        return next(same, None)
    if isinstance(value, str) or is_truth(value) or not dimension.low <= value <= dimension.high:
        return None
    if isinstance(dimension, IntDimension):
        is_there = float(value).is_integer() and (int(value) - dimension.low) % dimension.step == 0
        return int(value) if is_there else None
    own = dimension.settled(float(value))
    return own if isclose(own, value, rel_tol=1e-9, abs_tol=1e-12) else None


def is_truth(value: Value) -> bool:
    return isinstance(value, bool)


@lru_cache(1024)
def _steps(low: float, high: float, step: float) -> "Steps":
    """A list of studies settles thousands of values on the same grids."""
    return Steps(low, high, step)


class Steps(Sequence[float]):
    """low, low + step, ..., high in decimal arithmetic: 0.3, never 0.30000000000000004."""

    def __init__(self, low: float, high: float, step: float) -> None:
        self._low, self._step = Decimal(str(low)), Decimal(str(step))
        self._length = int((Decimal(str(high)) - self._low) / self._step) + 1

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> list[float]: ...
    def __getitem__(self, index: int | slice) -> float | list[float]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(self._length))]
        return float(self._low + range(self._length)[index] * self._step)
