"""Which parameters have an effect only beside certain values of another one, in the trainings of built-in tasks."""

from collections.abc import Callable, Iterator, Mapping

from pernodedrop.names import LAWS
from search_spaces.conditions import Needs, all_needs
from search_spaces.dimensions import CategoricalDimension, Dimension, Value
from search_spaces.narrowing import setters
from search_spaces.parameters import OPTIONS, RATES
from search_spaces.shape import StudyShape
from search_spaces.trial_config import TrialConfig

Takes = Callable[[Value], bool]
WITHOUT_FRACTION = ("bernoulli", "gaussian", "custom")  # laws; those of other distributions may have it


def _has_rate(regularizer: Value) -> bool:
    return RATES.get(str(regularizer), True) is not None


def _is(*names: Value) -> Takes:
    return lambda value: value in names


# By parameter: the parameters that it depends on, and whether it has an effect beside a value of these.
EFFECTS: Mapping[str, Mapping[str, Takes]] = {
    "drop_rate": {"regularizer": _has_rate},
    "drop_rate_schedule": {"regularizer": _has_rate},
    "drop_rate_share": {"regularizer": _has_rate, "drop_rate_schedule": _is("annealed", "early", "late")},
    "stir_type": {"regularizer": _is("pernodedrop")},
    "mask_mode": {"regularizer": _is("pernodedrop")},
    "noisy_fraction": {
        "regularizer": _is("pernodedrop"),
        "stir_type": lambda law: law in LAWS and law not in WITHOUT_FRACTION,
    },
    "momentum": {"optimizer": _is("sgd", "nesterov")},
    "learning_rate_cycles": {"learning_rate_schedule": _is("snapshot")},
    "weight_decay_on": {"weight_decay": lambda decay: decay != 0},
    **{name: {"regularizer": _is(*option.of)} for name, option in OPTIONS.items()},
}


def dependences(definition: StudyShape) -> Iterator[tuple[str, str, Takes, list[Value] | None]]:
    """Each searched dimension with each parameter that it depends on (see `EFFECTS`).

    The third says whether the dimension has an effect beside a value of that parameter. The last has the values that
    the parameter takes in trials with the dimension, the default among them where the study does not always set it;
    None: a range. An own task may give any parameter any sense, so there are none.
    """
    if not definition.task.is_built_in:
        return
    needs = all_needs(definition.search_space)
    for name, dimension in definition.search_space.items():
        for other, takes in EFFECTS.get(dimension.parameter or name, {}).items():
            yield name, other, takes, _values(definition, other, needs[name], needs)


def _values(definition: StudyShape, parameter: str, under: Needs, needs: Mapping[str, Needs]) -> list[Value] | None:
    if parameter in definition.fixed:
        return [definition.fixed[parameter]]
    found: list[Value] = []
    setting = setters(definition.search_space, parameter)
    for name, dimension in setting.items():
        if not isinstance(dimension, CategoricalDimension):
            return None
        if all(allowed & under.get(parent, allowed) for parent, allowed in needs[name].items()):
            found += [choice for choice in dimension.choices if choice in under.get(name, {choice})]
    if not any(_is_always_there(name, dimension, under) for name, dimension in setting.items()):
        found.append(getattr(TrialConfig, parameter))
    return found


def _is_always_there(name: str, dimension: Dimension, under: Needs) -> bool:
    """Whether the dimension is searched in every trial that has these values."""
    return not dimension.when or name in under
