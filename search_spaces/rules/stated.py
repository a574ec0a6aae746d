"""The values that a study states for a parameter, and what else a trial with one of them needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from search_spaces.conditions import Needs, both, impossible
from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.rules.parameters import extremes
from search_spaces.shape import StudyShape

MOST_VALUES = 1_000
SMALLEST = 1e-6  # stands for the values next to 0 of an interval


@dataclass(frozen=True)
class Stated:
    """A value, and where it stands; `path` is None for a default."""

    path: str | None
    value: Value
    needs: Needs  # what a trial with it needs of others

    def meets(self, *others: "Stated") -> bool:
        """Whether one trial may have all of these values."""
        return not impossible(both(self.needs, *(other.needs for other in others)))


def stated(
    definition: StudyShape,
    needs: Mapping[str, Needs],
    parameter: str,
    default: Value | None = None,
    *,
    every: bool = False,
) -> Iterator[Stated]:
    """The values of a parameter that decide, `default` where the study does not set it.

    `needs` are those of all dimensions, as `all_needs` has them. Of an interval the values are its ends; one that
    begins at 0 has also its next value, as 0 is often without effect. With `every` they are all values of a range that
    has no more than `MOST_VALUES`.
    """
    if parameter in definition.fixed:
        yield Stated(f"fixed.{parameter}", definition.fixed[parameter], {})
        return
    dimensions = {n: d for n, d in definition.search_space.items() if (d.parameter or n) == parameter}
    for name, dimension in dimensions.items():
        for part, value in _deciding(dimension, every=every):
            under = {name: frozenset({value})} if isinstance(dimension, CategoricalDimension) else {}
            yield Stated(f"search_space.{name}.{part}", value, both(needs[name], under))
    if not dimensions and default is not None:
        yield Stated(None, default, {})


def _deciding(dimension: Dimension, *, every: bool) -> list[tuple[str, Value]]:
    if every and not isinstance(dimension, CategoricalDimension):
        found = dimension.values
        if found is not None and len(found) <= MOST_VALUES:
            return [("high" if value == dimension.high else "low", value) for value in found]
    values = extremes(dimension)
    if isinstance(dimension, FloatDimension) and dimension.low == 0 < dimension.high:
        values.append(("low", dimension.step or SMALLEST))
    return values
