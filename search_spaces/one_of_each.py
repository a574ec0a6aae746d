"""A configuration of every variant that a study searches, for a look at each before the study begins."""

import math
from collections.abc import Mapping

from search_spaces.dimensions import CategoricalDimension, Dimension, Value
from search_spaces.narrowing import has
from search_spaces.resolution import resolved
from search_spaces.shape import StudyShape
from search_spaces.trial_config import TrialConfig
from search_spaces.variants import variants_of


def one_of_each(definition: StudyShape) -> Mapping[str, TrialConfig]:
    """By variant, a configuration with the middle of every range and the first of every choice.

    Raises:
        CannotNarrow: the dimensions that tell variants apart have too many combinations.
    """
    found = variants_of(definition.search_space, definition.fixed)
    return {variant: _like(definition, point) for variant, point in found.items()}


def _like(definition: StudyShape, point: Mapping[str, Value]) -> TrialConfig:
    def answer(parameter: str, dimension: Dimension) -> Value:
        wanted = point.get(parameter)
        return wanted if wanted is not None and has(dimension, wanted) else _middle(dimension)

    return TrialConfig.from_params(resolved(definition, answer))


def _middle(dimension: Dimension) -> Value:
    if isinstance(dimension, CategoricalDimension):
        return dimension.choices[0]
    if dimension.values is not None:
        return dimension.values[len(dimension.values) // 2]
    low, high = dimension.low, dimension.high
    middle = math.sqrt(low * high) if dimension.log else (low + high) / 2
    return int(middle) if isinstance(low, int) and isinstance(high, int) else middle
