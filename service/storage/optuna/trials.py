"""Optuna's trials as runs use them: created with the mark of their run, opened, reported, ended."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from search_spaces.optuna import learnt_from
from search_spaces.optuna.ordered import ORDINAL
from search_spaces.optuna.seen import REPLACES
from service.storage.optuna.statements import FAIL_REASON, RUN
from service.storage.states import storable


class Opened(Protocol):
    """An object with an Optuna storage: `service.storage.database.database.Database`."""

    @property
    def optuna(self) -> BaseStorage: ...


def load_study(db: Opened, optuna_study_id: int, sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    """Return the Optuna study; sampler and pruner come from our definition, since Optuna stores neither.

    They do not see trials outside of the study's space.
    """
    name = db.optuna.get_study_name_from_id(optuna_study_id)
    return optuna.Study(name, learnt_from(db.optuna, optuna_study_id), sampler=sampler, pruner=pruner)


def id_of(study: optuna.Study) -> int:
    """Return the study's id in Optuna's storage."""
    return study._study_id


def create(
    db: Opened,
    optuna_study_id: int,
    run_id: int,
    fixed_params: Mapping[str, Any] | None = None,
    *,
    place: int | None = None,
    replaces: Sequence[int] = (),
) -> int:
    """Create a running trial that is marked with its run, in a search that has a lag also with the run's place in
    it, and return its id. It takes the place of the run's earlier trials `replaces`.

    `study.ask()` cannot mark a trial in the transaction that creates it, so a worker that died in between would
    leave a trial without a run that never ends; a template can.
    """
    template = FrozenTrial(
        number=-1,  # given by the storage
        trial_id=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(UTC).replace(tzinfo=None),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={RUN: run_id}
        | ({} if place is None else {ORDINAL: place})
        | ({REPLACES: list(replaces)} if replaces else {}),
        system_attrs={"fixed_params": dict(fixed_params)} if fixed_params is not None else {},
        intermediate_values={},
    )
    return db.optuna.create_new_trial(optuna_study_id, template)


def refresh(db: Opened, optuna_study_id: int) -> None:
    """Add the trials that others asked for to the storage's cache."""
    db.optuna.get_all_trials(optuna_study_id, deepcopy=False)


def open_trial(study: optuna.Study, trial_id: int) -> Trial:
    """Return the trial for suggestions and reports."""
    study._thread_local.cached_all_trials = None
    return Trial(study, trial_id)


def as_begun(trial: Trial) -> FrozenTrial:
    """Return the trial with what it was given when it was made."""
    return trial._cached_frozen_trial


def should_prune(trial: Trial, step: int, value: float) -> bool:
    """Whether the study's pruner would end the trial after the report that `holding.record_epoch` has written."""
    trial._cached_frozen_trial.intermediate_values[step] = value  # what `Trial.report` leaves behind
    return trial.should_prune()


def tell(study: optuna.Study, trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
    """End the trial; one that has ended keeps what it has."""
    study.tell(trial, values, state=state, skip_if_finished=True)


def fail(db: Opened, trial_id: int, reason: str) -> None:
    """End a trial that will never be trained further."""
    end(db, trial_id, TrialState.FAIL, reason)


def reason_of(trial: FrozenTrial) -> str | None:
    """Return the reason why the trial failed or was ended, if it has one."""
    reason: str | None = trial.system_attrs.get(FAIL_REASON)
    return reason


def end(db: Opened, trial_id: int, state: TrialState, reason: str) -> None:
    """End the trial with a reason; one that has ended, or was deleted with its study, is left as it is."""
    try:
        db.optuna.set_trial_system_attr(trial_id, FAIL_REASON, storable(reason))
        db.optuna.set_trial_state_values(trial_id, state)
    except (UpdateFinishedTrialError, KeyError):
        return
