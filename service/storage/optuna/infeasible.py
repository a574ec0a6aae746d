"""Telling Optuna of a configuration that fits into no memory, so that the sampler turns away from it."""

import warnings

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from service.storage.optuna import trials

CONSTRAINT = "memory"  # above 0: infeasible


def end(db: trials.Opened, trial: Trial, reason: str) -> None:
    """End a trial that cannot be trained here, whoever tries: pruned, without a value, and infeasible.

    TPE reads complete and pruned trials only, and keeps to where they are feasible; a failed one teaches it
    nothing. Other samplers look at complete trials alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            trial.set_constraint(CONSTRAINT, 1.0)
    except (UpdateFinishedTrialError, KeyError):  # ended, or deleted with its study
        return
    trials.end(db, trial._trial_id, TrialState.PRUNED, reason)


def was_told(trial: FrozenTrial) -> bool:
    """Whether the trial was ended here: its run has failed, whatever Optuna calls it."""
    return trial.constraints.get(CONSTRAINT, 0.0) > 0
