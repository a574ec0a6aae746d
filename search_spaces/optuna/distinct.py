"""A sampler that avoids configurations that were trained before."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.optuna.given import given_to
from search_spaces.optuna.history import is_earlier
from search_spaces.resolution import recorded_params
from search_spaces.shape import StudyShape

DRAWS = 32  # tries for a configuration that no trial has
KNOWN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class DistinctSampler(BaseSampler):
    """Draws from `base` again as long as the drawn configuration was trained before or is being trained.

    TPE repeats its favourite when dimensions are discrete. All trials of a study share their training seeds, so
    a repetition would give the same value to the last digit and waste its place in the budget. When half of the
    `DRAWS` give nothing new, the other half are uniform; the last one is used (the space may be exhausted).
    """

    def __init__(self, base: BaseSampler, definition: StudyShape, seed: int) -> None:
        self._base = base
        self._uniform = RandomSampler(seed=seed)
        self._definition = definition

    def reseed_rng(self) -> None:
        self._base.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._base.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = self._base.sample_relative(study, trial, search_space)
        if not drawn:
            return drawn
        # A list, since an ask mostly searches it once; making a set of 10,000 trials takes longer.
        trials = study._get_trials(deepcopy=False, states=KNOWN, use_cache=True)
        known = [other.params for other in trials if not is_earlier(other)]  # those may be trained here as well
        for draw in range(1, DRAWS):
            if self._asked(drawn, trial) not in known:
                break
            if draw < DRAWS // 2:
                drawn = self._base.sample_relative(study, trial, search_space)
            else:
                uniform = self._uniform.sample_independent
                drawn = {name: uniform(study, trial, name, space) for name, space in search_space.items()}
        return drawn

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._base.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._base.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._base.after_trial(study, trial, state, values)

    def _asked(self, drawn: Mapping[str, Any], trial: FrozenTrial) -> dict[str, Any]:
        """The part of the draw that the trial would ask for: the parameters whose conditions hold."""
        active = recorded_params(self._definition, {**drawn, **given_to(trial)})
        return {name: value for name, value in drawn.items() if name in active}
