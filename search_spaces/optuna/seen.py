"""A study of which only some trials are seen, by a sampler or a pruner."""

from collections.abc import Callable, Container, Iterable
from copy import deepcopy as copied
from typing import Any

from optuna import Study
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

Selection = Callable[[list[FrozenTrial]], Iterable[FrozenTrial]]


def seen(study: Study, selection: Selection) -> Study:
    """The same study with the trials that `selection` leaves of all; what is written to it is written to the study."""
    return Study(study.study_name, _Selected(study._storage, selection), study.sampler, study.pruner)


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: "_Selected", *args: Any, **options: Any) -> Any:
        return getattr(self.whole, name)(*args, **options)

    return method


# Optuna's parts read trials by `get_all_trials` alone, directly or through a study of their own (Hyperband's).
_Whole = type("_Whole", (BaseStorage,), {name: _passed_on(name) for name in BaseStorage.__abstractmethods__})


class _Selected(_Whole):  # type: ignore[valid-type, misc]
    def __init__(self, whole: BaseStorage, selection: Selection) -> None:
        self.whole, self._selection = whole, selection

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = list(self._selection(self.whole.get_all_trials(study_id, deepcopy=False)))
        trials = trials if states is None else [trial for trial in trials if trial.state in states]
        return copied(trials) if deepcopy else trials
