"""How an Optuna trial turns into the settings of a training."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from search_spaces.conditions import is_active
from search_spaces.definition import StudyDefinition
from search_spaces.dimensions import CategoricalDimension, Dimension, FloatDimension, Value
from search_spaces.trial_config import TrialConfig

if TYPE_CHECKING:
    from optuna.trial import Trial


def suggest(trial: "Trial", definition: StudyDefinition) -> TrialConfig:
    """Asks the trial for every active dimension, parents first, and adds the fixed values.

    A dimension whose condition fails is not asked for; its parameter keeps TrialConfig's default.
    """
    return TrialConfig.from_params(resolved(definition, lambda parameter, dimension: ask(trial, parameter, dimension)))


def recorded_params(definition: StudyDefinition, drawn: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters of a trial from Optuna's record of it, fixed values included.

    Values are those that the trial was trained with: a step of 0.1 gives 0.3, where Optuna's record may hold
    0.30000000000000004. Of a trial that ended while it was being drawn, only what was drawn is there.
    """
    return resolved(definition, lambda parameter, dimension: drawn.get(parameter))


def resolved(definition: StudyDefinition, answer: Callable[[str, Dimension], Value | None]) -> dict[str, Value]:
    """The fixed parameters, with those that `answer` gives for the active dimensions; None leaves one out."""
    values: dict[str, Value] = dict(definition.fixed)  # by dimension, which is what conditions name
    params: dict[str, Value] = dict(definition.fixed)
    for name in definition.order:
        dimension = definition.search_space[name]
        parameter = dimension.parameter or name
        value = answer(parameter, dimension) if is_active(dimension, values) else None
        if value is not None:
            values[name] = params[parameter] = settled(dimension, value)
    return params


def settled(dimension: Dimension, value: Value) -> Value:
    return dimension.settled(float(value)) if isinstance(dimension, FloatDimension) else value


def ask(trial: "Trial", parameter: str, dimension: Dimension) -> Value:
    """One dimension's value from the study's sampler."""
    if isinstance(dimension, CategoricalDimension):
        choice: Value = trial.suggest_categorical(parameter, dimension.choices)  # type: ignore[assignment]
        return choice
    low, high, log = dimension.low, dimension.high, dimension.log
    if isinstance(dimension, FloatDimension):
        return trial.suggest_float(parameter, low, high, step=dimension.step, log=log)
    return trial.suggest_int(parameter, dimension.low, dimension.high, step=dimension.step, log=log)
