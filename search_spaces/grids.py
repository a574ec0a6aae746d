"""The grid of a study: every valid combination of its dimensions' values, once."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import overload

from search_spaces.conditions import Needs, Space, holds, in_order, own_needs
from search_spaces.dimensions import Value

MOST_COMBINATIONS = 1_000_000
MOST_BOXES = 20_000

Values = Mapping[str, Value]
Params = dict[str, Value]


@dataclass(frozen=True)
class Box:
    """One assignment of the parents, with all values of the dimensions that are searched under it."""

    parents: Params
    axes: dict[str, Sequence[Value]]

    @cached_property
    def size(self) -> int:
        return prod(len(axis) for axis in self.axes.values())

    def point(self, index: int) -> Params:
        """The combination number `index` in 0..size-1; the last axis runs fastest."""
        point = dict(self.parents)
        for parameter, axis in reversed(self.axes.items()):
            index, position = divmod(index, len(axis))
            point[parameter] = axis[position]
        return point

    def index_of(self, point: Mapping[str, Value]) -> int | None:
        """The number of the combination, None where the box does not have it."""
        if point.keys() != self.parents.keys() | self.axes.keys() or not self.parents.items() <= point.items():
            return None
        index = 0
        for parameter, axis in self.axes.items():
            if point[parameter] not in axis:
                return None
            index = index * len(axis) + axis.index(point[parameter])
        return index


class Grid(Sequence[Params]):
    """The combinations as parameters, counted and reached without enumerating them."""

    def __init__(self, parts: Sequence[Box]) -> None:
        self._boxes = parts
        self._ends = list(accumulate(box.size for box in parts))

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int) -> Params: ...
    @overload
    def __getitem__(self, index: slice) -> list[Params]: ...
    def __getitem__(self, index: int | slice) -> Params | list[Params]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        number = bisect_right(self._ends, position)
        return self._boxes[number].point(position - (self._ends[number] - self._boxes[number].size))

    def index_of(self, point: Mapping[str, Value]) -> int:
        """The place of the combination; raises ValueError where the grid does not have it."""
        for box, end in zip(self._boxes, self._ends, strict=True):
            place = box.index_of(point)
            if place is not None:
                return end - box.size + place
        raise ValueError(f"the grid has no combination {dict(point)}")


def size_refusal(space: Space, fixed: Values) -> str | None:
    """Return the rule that the grid's size breaks, or None; stops counting at the first limit."""
    size = 0
    for number, box in enumerate(boxes(space, fixed), start=1):
        size += box.size
        if size > MOST_COMBINATIONS:
            return f"must have at most {MOST_COMBINATIONS:,} combinations for the grid sampler"
        if number > MOST_BOXES:
            return f"must have at most {MOST_BOXES:,} combinations of dimensions that others depend on"
    return None


def boxes(space: Space, fixed: Values) -> Iterator[Box]:
    """The grid in boxes, one for each assignment of the dimensions that others depend on."""
    parents = {parent for dimension in space.values() for parent in dimension.when}
    order, needs = in_order(space), own_needs(space)
    leaves = [name for name in order if name not in parents]
    for values in assignments([name for name in order if name in parents], space, needs, fixed):
        searched = {space[name].parameter or name: value for name, value in values.items() if name in space}
        active = [(name, space[name]) for name in leaves if holds(needs[name], values)]
        yield Box(searched, {leaf.parameter or name: leaf.values or () for name, leaf in active})


def assignments(names: list[str], space: Space, needs: Mapping[str, Needs], values: Values) -> Iterator[Values]:
    """Every choice of values for the named dimensions, parents first, whose conditions hold; added to `values`."""
    if not names:
        yield values
        return
    name, *rest = names
    if not holds(needs[name], values):
        yield from assignments(rest, space, needs, values)
        return
    for value in space[name].values or ():
        yield from assignments(rest, space, needs, {**values, name: value})
