"""The Optuna trial of a run, asked for and suggested under the run's lease."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.trial import Trial

from search_spaces.optuna import given_to, trained_with
from service.storage.database.database import Database
from service.storage.errors import LeaseLost
from service.storage.optuna import statements, trials
from service.storage.records import Lease
from service.storage.runs.holding import is_held, note_trial, under_lease

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
    trial_id, before = lease.trial_id, list[int]()
    if trial_id is None and (lease.token > 1 or again):
        with db.engine.connect() as connection:
            trial_id = statements.trial_of_run(connection, optuna_study_id, lease.run_id)
            before = statements.trials_before(connection, optuna_study_id, lease.run_id)
    if trial_id is None:
        params = _given_before(db, lease, before) or given()
        place = None if lease.definition.sampler.lag is None else lease.place
        create = partial(trials.create, db, optuna_study_id, lease.run_id, params, place=place, replaces=before)
        return under_lease(db, lease, create)
    trials.refresh(db, optuna_study_id)
    return trial_id


def _given_before(db: Database, lease: Lease, before: Sequence[int]) -> Mapping[str, Any] | None:
    """The whole configuration that a run had before it was tried again, or what its last trial was given of one; None
    where it had none.

    In a race a trial's variant is given to it, by names that need not be among its parameters.
    """
    if not before:
        return None
    had = [db.optuna.get_trial(trial_id) for trial_id in before]
    own = [trial for trial in had if lease.params is not None and trained_with(trial) == lease.params]
    last = (own or had)[-1]
    given = {**given_to(last), **(lease.params or {})}
    return given or None


def suggested(db: Database, lease: Lease, trial: Trial, suggest: Callable[[Trial], T]) -> T:
    """Return `suggest(trial)`; its parameters are written in one transaction, under the lease, in which the run is
    attached to the trial (see `holding.attach`).

    The sampler makes its joint draw before that: it may take seconds, in which nothing should be locked.

    Raises:
        LeaseLost: the run has another holder by now.
    """
    _ = trial.relative_params
    with db.transaction() as connection:
        if not is_held(connection, lease):
            raise LeaseLost(lease.run_id, lease.token)
        chosen = suggest(trial)
        writes = note_trial(connection, lease, trial._trial_id, trial.number, trial.params)
    lease.written.count = writes
    return chosen
