"""The parameters of a run: those of its grid, and those drawn for the dimensions whose conditions hold."""

from collections.abc import Callable, Mapping

from search_spaces.conditions import is_active
from search_spaces.dimensions import Dimension, FloatDimension, Value
from search_spaces.grids import Params
from search_spaces.shape import StudyShape


def fixed_params(definition: StudyShape, ordinal: int) -> Params | None:
    """The parameters of the study's run number `ordinal` (0-based), or None where a sampler draws them.

    The grid is visited in an order shuffled by the search's seed; a study with more trials than
    combinations visits them again, each time in a new order.
    """
    import numpy as np  # imported here: a definition is read in places that train nothing

    if not definition.sampler.visits_grid:
        return None
    points = definition.grid
    lap, position = divmod(ordinal, len(points))
    order = np.random.default_rng((definition.search_seed, lap)).permutation(len(points))
    return points[int(order[position])]


def recorded_params(definition: StudyShape, drawn: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters of a trial from Optuna's record of it, fixed values included.

    Values are those that the trial was trained with: a step of 0.1 gives 0.3, where Optuna's record may hold
    0.30000000000000004. A trial that ended before all was drawn has only what was drawn.
    """
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
