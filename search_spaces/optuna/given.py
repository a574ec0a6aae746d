"""What a trial is given when it is made, before a sampler draws the rest."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

GIVEN = "fixed_params"  # where Optuna keeps it


def given_to(trial: FrozenTrial) -> Mapping[str, Any]:
    """The parameters that the trial was given when it was made."""
    given: Mapping[str, Any] = trial.system_attrs.get(GIVEN, {})
    return given
