"""What a trial is given when it is made, before a sampler draws the rest."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from search_spaces.known import outside_of

GIVEN = "fixed_params"  # where Optuna keeps it


def given_to(trial: FrozenTrial) -> Mapping[str, Any]:
    """The parameters that the trial was given when it was made."""
    given: Mapping[str, Any] = trial.system_attrs.get(GIVEN, {})
    return given


def trained_with(trial: FrozenTrial) -> Mapping[str, Any]:
    """The parameters that a run records of its trial: those that were suggested, or given outside of the space."""
    return given_to(trial) if is_outside(trial) else trial.params


def is_outside(trial: FrozenTrial) -> bool:
    """Whether the trial is of a configuration outside of its study's space, which no sampler sees."""
    given = trial._system_attrs.get(GIVEN)
    return given is not None and outside_of(given) is not None
