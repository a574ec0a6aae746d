"""A run's other half: the Optuna trial it becomes, made in one transaction with the mark of its run."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import optuna
import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from service.storage.database import Database
from service.storage.holding import under_lease
from service.storage.reasons import storable
from service.storage.records import Lease

T = TypeVar("T")

_RUN = "run"  # the user attribute that names the run


def load_study(db: Database, optuna_study_id: int, sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    """Return the Optuna study; sampler and pruner come from our definition, since Optuna stores neither."""
    name = db.optuna.get_study_name_from_id(optuna_study_id)
    return optuna.Study(name, db.optuna, sampler=sampler, pruner=pruner)


def ask(db: Database, study: optuna.Study, lease: Lease, fixed_params: Mapping[str, Any] | None = None) -> int:
    """Return the id of the run's trial: the one an earlier holder asked for, or a new one.

    `study.ask()` cannot mark a trial in the transaction that creates it, so a worker that dies in between
    would leave a trial that belongs to nobody and runs for ever; a template can.

    Raises:
        LeaseLost: the run is another holder's by now; a stale one's trial would run for ever as well.
    """
    trial_id = lease.trial_id
    if trial_id is None and lease.token > 1:
        trial_id = _trial_of_run(db, study, lease.run_id)
    if trial_id is None:
        template = _template(lease.run_id, fixed_params)
        return under_lease(db, lease, lambda: db.optuna.create_new_trial(study._study_id, template))
    db.optuna.get_all_trials(study._study_id, deepcopy=False)  # the cache does not know what others asked for
    return trial_id


def open_trial(study: optuna.Study, trial_id: int) -> Trial:
    """Return the trial for suggestions and reports."""
    study._thread_local.cached_all_trials = None
    return Trial(study, trial_id)


def suggested(db: Database, lease: Lease, trial: Trial, suggest: Callable[[Trial], T]) -> T:
    """Return `suggest(trial)`; its parameters are written in one transaction, under the lease.

    The sampler draws what it draws jointly before: that may take it seconds, in which nothing should be locked.

    Raises:
        LeaseLost: as for `ask`.
    """
    _ = trial.relative_params
    return under_lease(db, lease, lambda: suggest(trial))


def should_prune(trial: Trial, step: int, value: float) -> bool:
    """Whether the study's pruner would end the trial after the report that `queue.record_epoch` has written."""
    trial._cached_frozen_trial.intermediate_values[step] = value  # what `Trial.report` leaves behind
    return trial.should_prune()


def tell(study: optuna.Study, trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
    """End the trial; one that has ended already keeps what it has."""
    study.tell(trial, values, state=state, skip_if_finished=True)


def fail(db: Database, trial_id: int, reason: str) -> None:
    """End a trial that nobody will train any more."""
    try:
        db.optuna.set_trial_system_attr(trial_id, "fail_reason", storable(reason))
        db.optuna.set_trial_state_values(trial_id, TrialState.FAIL)
    except (UpdateFinishedTrialError, KeyError):  # ended, or deleted with its study
        return


def _template(run_id: int, fixed_params: Mapping[str, Any] | None) -> FrozenTrial:
    return FrozenTrial(
        number=-1,  # given by the storage
        trial_id=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(UTC).replace(tzinfo=None),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={_RUN: run_id},
        system_attrs={"fixed_params": dict(fixed_params)} if fixed_params is not None else {},
        intermediate_values={},
    )


def _trial_of_run(db: Database, study: optuna.Study, run_id: int) -> int | None:
    statement = sa.text(
        """
        SELECT t.trial_id FROM trials t JOIN trial_user_attributes a USING (trial_id)
        WHERE t.study_id = :study AND a.key = :key AND a.value_json = :run ORDER BY t.trial_id LIMIT 1
        """
    )
    with db.engine.connect() as connection:
        return connection.execute(
            statement, {"study": study._study_id, "key": _RUN, "run": json.dumps(run_id)}
        ).scalar_one_or_none()
