"""A study of which a sampler or a pruner sees a part."""

from abc import abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from copy import deepcopy as copied
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search_spaces.optuna.given import is_outside

Selection = Callable[[list[FrozenTrial]], Iterable[FrozenTrial]]


def seen(study: Study, selection: Selection, *, is_past: bool = False, prefix: str = "") -> Study:
    """The same study with the trials that `selection` makes of all; what is written to it is written to the study.

    `is_past` is for a search in the order of its queue, whose past does not change: the trials are selected once, and
    the study has one name everywhere, by which Hyperband divides trials. The study's attributes have `prefix` before
    their names, so that several samplers can keep theirs, as NSGA-II its parents.
    """
    storage = _Part(study._storage, study._study_id, selection, is_past, prefix)
    part = Study(study.study_name, storage, study.sampler, study.pruner)
    if is_past:
        part.study_name = "study"
    return part


REPLACES = "replaces"  # the attribute of a trial with the ids of those in whose place it was begun


def learnt_from(whole: BaseStorage, study_id: int | None = None) -> BaseStorage:
    """The same storage without the trials that others have replaced, and those outside of their study's space: no
    sampler or pruner learns from them.

    With an id it is for that study alone, which is not looked up by its name.
    """
    return _Learnt(whole, study_id)


class SeeingSampler(BaseSampler):
    """A sampler whose base sees a part of the study, which a subclass says in `view`."""

    def __init__(self, base: BaseSampler) -> None:
        self._base = base

    @abstractmethod
    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        """The study and the trial as the base sees them."""

    def reseed_rng(self) -> None:
        self._base.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._base.infer_relative_search_space(*self.view(study, trial))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._base.sample_relative(*self.view(study, trial), search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._base.sample_independent(*self.view(study, trial), param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._base.before_trial(*self.view(study, trial))

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._base.after_trial(*self.view(study, trial), state, values)


def changed(trial: FrozenTrial, **attributes: Any) -> FrozenTrial:
    """The trial with other attributes, by Optuna's own names for them; what it holds is shared, not copied."""
    other = FrozenTrial.__new__(FrozenTrial)
    other.__dict__.update(trial.__dict__, **attributes)
    return other


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: "_Part", *args: Any, **options: Any) -> Any:
        return getattr(self.whole, name)(*args, **options)

    return method


# Optuna's parts read trials by `get_all_trials` alone, directly or through a study of their own (Hyperband's).
_Whole = type("_Whole", (BaseStorage,), {name: _passed_on(name) for name in BaseStorage.__abstractmethods__})


class _Learnt(_Whole):  # type: ignore[valid-type, misc]
    def __init__(self, whole: BaseStorage, study_id: int | None) -> None:
        self.whole, self._study_id = whole, study_id

    def get_study_id_from_name(self, study_name: str) -> int:
        if self._study_id is not None:
            return self._study_id
        found: int = self.whole.get_study_id_from_name(study_name)
        return found

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = self.whole.get_all_trials(study_id, deepcopy, states)
        replaced = {other for trial in trials for other in trial._user_attrs.get(REPLACES, ())}
        return [trial for trial in trials if not is_outside(trial) and trial._trial_id not in replaced]


class _Part(_Whole):  # type: ignore[valid-type, misc]
    def __init__(self, whole: BaseStorage, study_id: int, selection: Selection, is_past: bool, prefix: str) -> None:
        self.whole, self._study_id, self._selection = whole, study_id, selection
        self._is_past, self._prefix = is_past, prefix
        self._past: list[FrozenTrial] | None = None

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._study_id

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = self._past
        if trials is None:
            trials = list(self._selection(self.whole.get_all_trials(study_id, deepcopy=False)))
        if self._is_past:
            self._past = trials
        trials = list(trials) if states is None else [trial for trial in trials if trial.state in states]
        return copied(trials) if deepcopy else trials

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        attributes: dict[str, Any] = self.whole.get_study_system_attrs(study_id)
        if not self._prefix:
            return attributes
        own = {name: value for name, value in attributes.items() if name.startswith(self._prefix)}
        return {name.removeprefix(self._prefix): value for name, value in own.items()}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self.whole.set_study_system_attr(study_id, f"{self._prefix}{key}", value)
