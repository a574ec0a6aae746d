"""Which dimensions a sampler models jointly: those that every trial has, whatever is drawn."""

from collections.abc import Mapping

from search_spaces.conditions import is_active
from search_spaces.dimensions import CategoricalDimension, Dimension, Value
from search_spaces.shape import StudyShape


def certain(definition: StudyShape, given: Mapping[str, Value], *, numeric: bool = False) -> dict[str, Dimension]:
    """The dimensions with more than one value whose conditions hold in every trial, by their parameters.

    `given` are parameters that all of these trials have, as those of their variant in a race. With `numeric`,
    categorical dimensions are left out.
    """
    values: dict[str, Value] = dict(definition.fixed)  # by dimension, which is what conditions name
    found: dict[str, Dimension] = {}
    for name in definition.order:
        dimension = definition.search_space[name]
        parameter = dimension.parameter or name
        if not is_active(dimension, values):
            continue
        if parameter in given:
            values[name] = given[parameter]
        elif dimension.values is not None and len(dimension.values) == 1:
            values[name] = dimension.values[0]
        elif not (numeric and isinstance(dimension, CategoricalDimension)):
            found[parameter] = dimension
    return found
