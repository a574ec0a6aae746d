"""Search spaces with fewer values, without the dimensions that can then no longer be searched."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import pairwise

from search_spaces.conditions import Space, in_order
from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.problems import listed


class CannotNarrow(ValueError):
    """The wanted part is not in the search space, or dimensions cannot describe it."""


def with_values(space: Space, parameter: str, wanted: Collection[float]) -> dict[str, Dimension]:
    """The space in which each dimension of the parameter keeps only those of its values that are wanted.

    Raises:
        CannotNarrow: no dimension has one of the numbers, or a dimension is left without a value.
    """
    dimensions = setters(space, parameter)
    for value in wanted:
        if not any(has(dimension, value) for dimension in dimensions.values()):
            raise CannotNarrow(f"{parameter} is never {value:g} in this study{_offer(dimensions.values())}")
    narrow = dict(space)
    for name, dimension in dimensions.items():
        less = narrowed(dimension, wanted)
        if less is None:
            raise CannotNarrow(f"{name} has no value of {shown(wanted)}{_offer([dimension])}, or leave its variant out")
        narrow[name] = less
    return narrow


def narrowed(dimension: Dimension, wanted: Collection[Value]) -> Dimension | None:
    """The dimension with those of the wanted values that it has; None where it has none of them.

    Raises:
        CannotNarrow: several numbers that are not equally spaced, or that lie on a logarithmic scale.
    """
    kept = [value for value in wanted if has(dimension, value)]
    if not kept:
        return None
    if isinstance(dimension, CategoricalDimension):
        choices = tuple(choice for choice in dimension.choices if choice in kept)
        return dimension.model_copy(update={"choices": choices})
    number: type[int | float] = float if isinstance(dimension, FloatDimension) else int
    low, high, step = min(map(number, kept)), max(map(number, kept)), _step(dimension, kept)
    unstepped = None if number is float else 1
    update = {"low": low, "high": high, "step": unstepped if step is None else number(step)}
    return dimension.model_copy(update=update if step else update | {"log": False})


def setters(space: Space, parameter: str) -> dict[str, Dimension]:
    """The dimensions that set the parameter, by their names."""
    return {name: dimension for name, dimension in space.items() if (dimension.parameter or name) == parameter}


def numbers(space: Space, parameter: str) -> set[float]:
    """The numbers that the parameter takes; none where no dimension of it is finite."""
    values = {value for dimension in setters(space, parameter).values() for value in dimension.values or ()}
    return {value for value in values if not isinstance(value, str)}


def has(dimension: Dimension, value: Value) -> bool:
    """Whether the dimension can take the value."""
    if isinstance(dimension, CategoricalDimension) or dimension.values is not None:
        return value in (dimension.values or ())
    return not isinstance(value, str) and dimension.low <= value <= dimension.high


def searchable(space: Space, fixed: Mapping[str, Value]) -> dict[str, Dimension]:
    """The dimensions whose conditions can hold; the conditions name only values that the parents still have."""
    kept: dict[str, Dimension] = {}
    for name in in_order(space):
        when = {
            parent: allowed if parent in fixed else tuple(v for v in allowed if parent in kept and has(kept[parent], v))
            for parent, allowed in space[name].when.items()
        }
        if all(when.values()):
            kept[name] = space[name].model_copy(update={"when": when})
    return {name: kept[name] for name in space if name in kept}


def shown(values: Collection[float]) -> str:
    """Numbers for a message, the smallest first."""
    return ", ".join(f"{value:g}" for value in sorted(values))


def _step(dimension: Dimension, kept: Collection[Value]) -> Decimal | None:
    """The distance between neighbouring numbers; None for a single one."""
    points = sorted(Decimal(str(value)) for value in kept)
    steps = {after - before for before, after in pairwise(points)}
    if not steps:
        return None
    if len(steps) > 1:
        raise CannotNarrow(f"numbers must be equally spaced, got {', '.join(map(str, points))}")
    if not isinstance(dimension, CategoricalDimension) and dimension.log:
        raise CannotNarrow(f"on a logarithmic scale one number can be kept, got {', '.join(map(str, points))}")
    return steps.pop()


def _offer(dimensions: Collection[Dimension]) -> str:
    found = {value for dimension in dimensions for value in dimension.values or ()}
    values = sorted(found, key=lambda value: (isinstance(value, str), value))
    return f": choose of {listed(values)}" if values else ": choose others"
