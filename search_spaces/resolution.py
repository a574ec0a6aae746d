"""The parameters of a run: those of its grid, and those drawn for the dimensions whose conditions hold."""

from collections.abc import Callable, Mapping
from typing import Any

from search_spaces.conditions import is_active
from search_spaces.dimensions import Dimension, FloatDimension, Value, matching
from search_spaces.grids import Params
from search_spaces.known import OUTSIDE, Given, Known, outside_of
from search_spaces.shape import StudyShape


def fixed_params(definition: StudyShape, ordinal: int) -> Params | None:
    """The parameters of the study's run number `ordinal` (0-based), or None where a sampler draws them.

    The grid is visited in an order shuffled by the search's seed; a study with more trials than
    combinations visits them again, each time in a new order. In the first lap the combinations that the study starts
    with come first; what it starts with outside of the grid has runs of its own.
    """
    import numpy as np  # imported here: a definition is read in places that train nothing

    if not definition.sampler.visits_grid:
        return None
    points = definition.grid
    outside = [known.outside for known in definition.start_with]
    lap, position = divmod(ordinal - sum(outside[:ordinal]), len(points))
    order = np.random.default_rng((definition.search_seed, lap)).permutation(len(points))
    if lap == 0 and definition.start_with:
        first = [points.index_of(given_by(definition, each)) for each in definition.start_with if not each.outside]
        order = np.concatenate((np.array(first, order.dtype), order[~np.isin(order, first)]))
    return points[int(order[position])]


def given_by(definition: StudyShape, known: Known) -> dict[str, Any]:
    """The parameters that the configuration's run is given (see `search_spaces.known.Given`).

    Inside of the space they are those of its active dimensions, with the values as the dimensions have them. The rules
    of `search_spaces.rules.known` have accepted the configuration.
    """
    if known.outside:
        return {OUTSIDE: dict(known.params)}
    params = resolved(definition, lambda parameter, dimension: _own(dimension, known.params.get(parameter)))
    return {name: value for name, value in params.items() if name in known.params and name not in definition.fixed}


def is_whole(definition: StudyShape, given: Given) -> bool:
    """Whether nothing is left to draw of a run that is given these parameters."""
    if outside_of(given) is not None:
        return True
    asked: set[str] = set()

    def answer(parameter: str, dimension: Dimension) -> Value | None:
        asked.add(parameter)
        return given.get(parameter)

    resolved(definition, answer)
    return asked <= given.keys()


def _own(dimension: Dimension, value: Value | None) -> Value | None:
    """The value as the dimension has it: its choice 1 for 1.0, a float for a whole number."""
    return None if value is None else matching(dimension, value)


def recorded_params(definition: StudyShape, drawn: Mapping[str, Any]) -> dict[str, Value]:
    """The parameters of a trial from Optuna's record of it, fixed values included.

    Values are those that the trial was trained with: a step of 0.1 gives 0.3, where Optuna's record may hold
    0.30000000000000004. A trial that ended before all was drawn has only what was drawn. One outside of the search
    space has what it was given.
    """
    outside = outside_of(drawn)
    if outside is not None:
        return {**definition.fixed, **outside}
    return resolved(definition, lambda parameter, dimension: drawn.get(parameter))


def resolved(definition: StudyShape, answer: Callable[[str, Dimension], Value | None]) -> dict[str, Value]:
    """The fixed parameters, with those that `answer` gives for the active dimensions; None leaves one out."""
    values: dict[str, Value] = dict(definition.fixed)  # by dimension, which is what conditions name
    params: dict[str, Value] = dict(definition.fixed)
    for name in definition.order:
        dimension = definition.search_space[name]
        parameter = dimension.parameter or name
        value = answer(parameter, dimension) if not dimension.when or is_active(dimension, values) else None
        if value is not None:
            values[name] = params[parameter] = settled(dimension, value)
    return params


def settled(dimension: Dimension, value: Value) -> Value:
    return dimension.settled(float(value)) if isinstance(dimension, FloatDimension) else value
