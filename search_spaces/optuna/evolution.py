"""Optuna's CMA-ES, which learns only from what it has drawn itself."""

from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.trial import FrozenTrial

from search_spaces.optuna.given import given_to

DRAWS = 8  # of one trial, before it is left to others
_OF_NONE = -1  # a generation that no optimizer has
_DRAWN = "x_for_tell"  # where Optuna keeps the point that the optimizer is told of


class Evolution(CmaEsSampler):
    """Draws nothing for a trial that is given a dimension, and nothing after `DRAWS` draws of one trial.

    Optuna tells the optimizer of the point that it drew, whatever the trial was trained with. So a trial that is not
    the optimizer's is of no generation, and a point of other dimensions, from before, is not told.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: int | None = None
        self._draws = 0
        self._dimensions = 0

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not given_to(trial).keys().isdisjoint(search_space):
            return {}
        if trial._trial_id != self._asked:
            self._asked, self._draws, self._dimensions = trial._trial_id, 0, len(search_space)
        self._draws += 1
        if self._draws <= DRAWS:
            return super().sample_relative(study, trial, search_space)
        if self._draws == DRAWS + 1:
            study._storage.set_trial_system_attr(trial._trial_id, self._attr_key_generation, _OF_NONE)
        return {}

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        optimizer = super()._restore_optimizer(completed_trials)
        return optimizer if optimizer is not None and optimizer.dim == self._dimensions else None

    def _get_solution_trials(self, trials: list[FrozenTrial], generation: int) -> list[FrozenTrial]:
        of_generation = super()._get_solution_trials(trials, generation)
        return [each for each in of_generation if np.size(each._system_attrs.get(_DRAWN, ())) in (0, self._dimensions)]
