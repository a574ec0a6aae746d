"""Reports a configuration that fits into no memory to Optuna, so that the sampler avoids it."""

import warnings

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from service.storage.optuna import trials

CONSTRAINT = "memory"  # above 0: infeasible


def end(db: trials.Opened, trial: Trial, reason: str) -> None:
    """End a trial that no worker here can train: pruned, without a value, and infeasible.

    TPE reads only complete and pruned trials, and prefers where they are feasible; it learns nothing from a failed
    one. Other samplers read only complete trials.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            trial.set_constraint(CONSTRAINT, 1.0)
    except (UpdateFinishedTrialError, KeyError):  # it has ended, or was deleted with its study
        return
    trials.end(db, trial._trial_id, TrialState.PRUNED, reason)


def was_told(trial: FrozenTrial) -> bool:
    """Whether `end` ended the trial: its run has failed, though Optuna calls it pruned."""
    return trial.constraints.get(CONSTRAINT, 0.0) > 0
