"""Turns an Optuna trial into the settings of a training."""

from typing import TYPE_CHECKING

from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.resolution import resolved
from search_spaces.shape import StudyShape
from search_spaces.trial_config import TrialConfig

if TYPE_CHECKING:
    from optuna.trial import Trial


def suggest(trial: "Trial", definition: StudyShape) -> TrialConfig:
    """The settings with what `suggested` returns; a parameter that is missing there keeps TrialConfig's default."""
    return TrialConfig.from_params(suggested(trial, definition))


def suggested(trial: "Trial", definition: StudyShape) -> dict[str, Value]:
    """Ask the trial for every active dimension, parents first, and add the fixed values.

    A dimension whose condition fails is not asked for, and its parameter is missing.
    """
    return resolved(definition, lambda parameter, dimension: ask(trial, parameter, dimension))


def ask(trial: "Trial", parameter: str, dimension: Dimension) -> Value:
    """One dimension's value from the study's sampler."""
    if isinstance(dimension, CategoricalDimension):
        choice: Value = trial.suggest_categorical(parameter, dimension.choices)  # type: ignore[assignment]
        return choice
    low, high, log = dimension.low, dimension.high, dimension.log
    if isinstance(dimension, FloatDimension):
        return trial.suggest_float(parameter, low, high, step=dimension.step, log=log)
    return trial.suggest_int(parameter, dimension.low, dimension.high, step=dimension.step, log=log)
