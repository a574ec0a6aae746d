"""Optuna's quasi-random sequences, whose points are counted by trials."""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import QMCSampler
from optuna.trial import FrozenTrial


class QuasiRandomSequence(QMCSampler):
    """Draws point n for the trial before which n others were begun.

    Optuna counts its draws in an attribute of the study: two workers at once draw the same point, and variants, whose
    trials are dealt in turn, share one sequence. Every eighth point of Sobol's lies in an eighth of the space.
    A trial has one point: asked again, it draws nothing.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: int | None = None
        self._place = 0

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if trial._trial_id == self._asked:
            return {}
        self._asked = trial._trial_id
        self._place = sum(each.number < trial.number for each in study._get_trials(deepcopy=False, use_cache=True))
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._place
