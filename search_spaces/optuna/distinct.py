"""A sampler that avoids configurations that were trained before."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.completion import with_implied_conditions
from search_spaces.dimensions import Dimension, FloatDimension, Value
from search_spaces.grids import MOST_BOXES, Grid, Params, boxes
from search_spaces.narrowing import narrowed
from search_spaces.optuna.given import given_to
from search_spaces.optuna.history import distribution_of, is_earlier
from search_spaces.optuna.seen import SeeingSampler
from search_spaces.resolution import recorded_params, resolved
from search_spaces.scalars import LARGEST
from search_spaces.shape import StudyShape

DRAWS = 32  # tries for a configuration that no trial has
KNOWN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class DistinctSampler(SeeingSampler):
    """Draws from `base` again as long as the drawn configuration was trained before or is being trained.

    All trials of a study share their training seeds, so a repetition would give the same value to the last digit and
    waste its place in the budget. Two configurations are the same where they differ in nothing that has an effect.
    When half of the `DRAWS` give nothing new, the other half are uniform. If these give nothing new, one of the
    configurations that are left in a finite space is taken; where none is left, the last draw is.

    A whole configuration is drawn at once, before the trial asks for its first parameter.
    """

    def __init__(self, base: BaseSampler, definition: StudyShape, seed: int) -> None:
        super().__init__(base)
        self._uniform = RandomSampler(seed=seed)
        self._seed = seed
        self._definition = definition
        self._with_effect = with_implied_conditions(definition)
        self._drawn: tuple[int, Params] | None = None  # the last trial's id and parameters

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        return study, trial

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        # A list, since an ask mostly searches it once; making a set of 10,000 trials takes longer.
        trials = study._get_trials(deepcopy=False, states=KNOWN, use_cache=True)
        others = [each for each in trials if each._trial_id != trial._trial_id and not is_earlier(each)]
        drawn = self._new(study, trial, search_space, [_params_of(each) for each in others])
        self._drawn = trial._trial_id, drawn
        return {name: value for name, value in drawn.items() if name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self._drawn is not None and self._drawn[0] == trial._trial_id and param_name in self._drawn[1]:
            return self._drawn[1][param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)

    def _new(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution], known: list[Params]
    ) -> Params:
        drawn: Params = {}
        for draw in range(DRAWS):
            if draw < DRAWS // 2:
                jointly = self._base.sample_relative(study, trial, search_space)
                drawn = self._whole(self._base, study, trial, jointly)
            else:
                drawn = self._whole(self._uniform, study, trial, {})
            if not self._is_known(drawn, known):
                return drawn
        return self._left(trial, known) or drawn

    def _whole(self, sampler: BaseSampler, study: Study, trial: FrozenTrial, jointly: Mapping[str, Any]) -> Params:
        """The parameters of a whole trial, as Optuna has them: given, drawn jointly, or drawn one by one."""
        given, params = given_to(trial), Params()

        def answer(parameter: str, dimension: Dimension) -> Value:
            distribution = distribution_of(dimension)
            if parameter in given:
                params[parameter] = given[parameter]
            elif dimension.values is not None and len(dimension.values) == 1:
                params[parameter] = dimension.values[0]
            elif parameter in jointly and _contains(distribution, jointly[parameter]):
                params[parameter] = jointly[parameter]
            else:
                params[parameter] = sampler.sample_independent(study, trial, parameter, distribution)
            return params[parameter]

        resolved(self._definition, answer)
        return params

    def _is_known(self, params: Params, known: list[Params]) -> bool:
        """Whether a trial has the same values wherever these have an effect."""
        wanted: dict[str, tuple[Value, float]] = {}

        def answer(parameter: str, dimension: Dimension) -> Value | None:
            value = params.get(parameter)
            if value is not None:
                stepped = isinstance(dimension, FloatDimension) and dimension.step
                wanted[parameter] = value, stepped / 2 if stepped else 0.0
            return value

        resolved(self._with_effect, answer)
        return any(
            all(_same(other.get(name), value, within) for name, (value, within) in wanted.items()) for other in known
        )

    def _left(self, trial: FrozenTrial, known: list[Params]) -> Params | None:
        """A configuration that no trial has, each with equal chances as far as they lie apart; None: there is none."""
        given = given_to(trial)
        space = {
            name: _only(dimension, given.get(dimension.parameter or name))
            for name, dimension in self._with_effect.search_space.items()
        }
        if any(dimension.values is None for dimension in space.values()):
            return None
        parts = list(islice(boxes(space, self._with_effect.fixed), MOST_BOXES))
        if sum(box.size for box in parts) > LARGEST:
            return None
        grid = Grid(parts)
        had = {self._identity(params) for params in known}
        start = int(np.random.default_rng(self._seed).integers(len(grid)))
        for place in range(min(len(grid), len(had) + 1)):
            point = {**grid[(start + place) % len(grid)], **given}
            if self._identity(point) not in had:
                return point
        return None

    def _identity(self, params: Mapping[str, Any]) -> frozenset[tuple[str, Value]]:
        return frozenset(recorded_params(self._with_effect, params).items())


def _params_of(trial: FrozenTrial) -> Params:
    """The trial's parameters; in a race those of its variant are hidden, and only given."""
    return {**given_to(trial), **trial._params}


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:  # a choice of another range of the parameter
        return False


def _same(value: Any, other: Value, within: float) -> bool:
    if value == other:
        return True
    return (
        within > 0
        and isinstance(value, int | float)
        and isinstance(other, int | float)
        and (abs(value - other) < within)
    )


def _only(dimension: Dimension, value: Value | None) -> Dimension:
    """The dimension with this value alone, where it is given and the dimension has it."""
    return dimension if value is None else narrowed(dimension, [value]) or dimension
