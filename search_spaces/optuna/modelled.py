"""A sampler that is told by the definition what it models."""

from collections.abc import Collection, Iterable

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search_spaces.grids import Params
from search_spaces.modelling import certain
from search_spaces.optuna.history import distribution_of
from search_spaces.optuna.seen import SeeingSampler, seen
from search_spaces.optuna.within import Telling
from search_spaces.shape import StudyShape


class ModelledSampler(SeeingSampler):
    """Hands the sampler the dimensions that every trial has, and the trials that have all of them.

    Optuna finds them in the history, which says something else: trials of one branch make a conditional dimension look
    like one of all trials, and a model that began with it fails at the first trial of another branch.
    """

    def __init__(self, base: BaseSampler, definition: StudyShape, *, numeric: bool) -> None:
        super().__init__(base)
        self._definition, self._numeric = definition, numeric
        self._tell = Telling(definition) if definition.is_race else None
        self._spaces: dict[tuple[object, ...], dict[str, BaseDistribution]] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        given: Params = {} if self._tell is None else self._tell.given(trial)
        key = tuple(sorted(given.items()))
        if key not in self._spaces:
            space = certain(self._definition, given, numeric=self._numeric)
            self._spaces[key] = {parameter: distribution_of(space[parameter]) for parameter in sorted(space)}
        return dict(self._spaces[key])

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        names = self.infer_relative_search_space(study, trial).keys()
        return seen(study, lambda trials: _having(trials, names)), trial


def _having(trials: Iterable[FrozenTrial], names: Collection[str]) -> list[FrozenTrial]:
    """The trials with all of these parameters, and those that may still draw them."""
    return [each for each in trials if not each.state.is_finished() or each._params.keys() >= set(names)]
