"""The Optuna trial of a run, asked for and suggested under the run's lease."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import optuna
from optuna.trial import Trial

from service.storage.database.database import Database
from service.storage.optuna import statements, trials
from service.storage.records import Lease
from service.storage.runs.holding import under_lease

T = TypeVar("T")


def ask(
    db: Database,
    study: optuna.Study,
    lease: Lease,
    given: Callable[[], Mapping[str, Any] | None] = lambda: None,
    *,
    again: bool = False,
) -> int:
    """Return the id of the run's trial: the one an earlier holder asked for, or a new one.

    `given` returns the parameters that a new trial is given; the sampler draws the others. `again` is for a call after
    one that failed: its answer may have been lost.

    Raises:
        LeaseLost: the run has another holder by now; the trial of a stale holder would never end.
    """
    optuna_study_id = trials.id_of(study)
    trial_id = lease.trial_id
    if trial_id is None and (lease.token > 1 or again):
        with db.engine.connect() as connection:
            trial_id = statements.trial_of_run(connection, optuna_study_id, lease.run_id)
    if trial_id is None:
        params = given()
        place = None if lease.definition.sampler.lag is None else lease.place
        return under_lease(db, lease, lambda: trials.create(db, optuna_study_id, lease.run_id, params, place=place))
    trials.refresh(db, optuna_study_id)
    return trial_id


def suggested(db: Database, lease: Lease, trial: Trial, suggest: Callable[[Trial], T]) -> T:
    """Return `suggest(trial)`; its parameters are written in one transaction, under the lease.

    The sampler makes its joint draw before that: it may take seconds, in which nothing should be locked.

    Raises:
        LeaseLost: the run has another holder by now.
    """
    _ = trial.relative_params
    return under_lease(db, lease, lambda: suggest(trial))
