"""Rules for the parameters that a study sets: known names, and values inside their domains."""

from collections.abc import Iterator
from difflib import get_close_matches

from pernodedrop.names import ELSEWHERE
from search_spaces.dimensions import CategoricalDimension, Dimension, Value
from search_spaces.parameters import OPTIONS, PARAMETERS, Domain
from search_spaces.problems import Problem, listed, shown
from search_spaces.shape import StudyShape
from search_spaces.task import BACKBONES, DEFAULT_BACKBONE, backbones_of_sequences, backbones_with


def parameters_are_known(definition: StudyShape) -> Iterator[Problem]:
    if not definition.task.is_built_in:
        return  # an own task reads any further parameter from TrialConfig.extra
    for path, parameter in targets(definition):
        if parameter not in PARAMETERS and parameter not in OPTIONS:
            known = [*PARAMETERS, *(option for option in OPTIONS if takes(definition, option))]
            close = get_close_matches(parameter, [*PARAMETERS, *OPTIONS], n=1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            yield Problem.at(path, f"is no parameter of the built-in tasks: {remedy}")


def values_lie_in_their_domains(definition: StudyShape) -> Iterator[Problem]:
    for path, parameter, value in stated_values(definition):
        domain = domain_of(definition, parameter)
        refusal = None if domain is None else domain.refusal(value)
        if refusal is not None:
            yield Problem.at(path, refusal)


def types_suit_their_parameters(definition: StudyShape) -> Iterator[Problem]:
    for name, dimension in definition.search_space.items():
        domain = domain_of(definition, dimension.parameter or name)
        if domain is not None and dimension.type not in domain.types:
            rule = f"must be {listed(domain.types)}, got {shown(dimension.type)}"
            yield Problem.at(f"search_space.{name}.type", rule)


def options_have_their_regularizer(definition: StudyShape) -> Iterator[Problem]:
    if not definition.task.is_built_in:
        return
    for path, parameter in targets(definition):
        if parameter in OPTIONS and not takes(definition, parameter):
            rule = (
                f"is a setting of {listed(sorted(OPTIONS[parameter].of))}, which the study does not search: remove it"
            )
            yield Problem.at(path, rule)


def regularizers_have_their_place(definition: StudyShape) -> Iterator[Problem]:
    task = definition.task
    known = BACKBONES.get(task.name)
    backbone = task.options.get("backbone", DEFAULT_BACKBONE)
    if known is None or (known and (not isinstance(backbone, str) or backbone not in known)):
        return  # an own task's model, or no backbone at all: the worker says so
    places = known[str(backbone)] if known else ()
    model = f"{task.name} with the backbone {shown(backbone)}" if known else f"the model of {task.name}"
    for path, parameter, value in stated_values(definition):
        place = ELSEWHERE.get(str(value), "") if parameter == "regularizer" else ""
        if place and place != "gradient" and place not in places:
            others = backbones_with(task.name, place)
            remedy = f"set task.options.backbone to {listed(others)}" if others else "remove it"
            rule = f"acts on a {place}, which {model} has not: {remedy}"
            yield Problem.at(path, f"{rule}, got {shown(value)}")


def correlations_have_positions(definition: StudyShape) -> Iterator[Problem]:
    task = definition.task
    backbone = task.options.get("backbone", DEFAULT_BACKBONE)
    known, fitting = BACKBONES.get(task.name), backbones_of_sequences(task.name)
    if known is None or (known and backbone not in known) or backbone in fitting:
        return
    model = f"{task.name} with the backbone {shown(backbone)}" if known else f"the model of {task.name}"
    remedy = f"set task.options.backbone to {listed(fitting)}" if fitting else "remove it"
    for path, parameter in targets(definition):
        if parameter == "time_correlation" and takes(definition, parameter):
            yield Problem.at(path, f"acts over the positions of a sequence, which {model} has not: {remedy}")


def custom_stir_needs_own_task(definition: StudyShape) -> Iterator[Problem]:
    if not definition.task.is_built_in:
        return
    for path, parameter, value in stated_values(definition):
        if parameter == "stir_type" and value == "custom":
            rule = 'needs an own task (package.module:Class) that supplies the mask, got "custom"'
            yield Problem.at(path, rule)


def nothing_is_fixed_and_searched(definition: StudyShape) -> Iterator[Problem]:
    for name, dimension in definition.search_space.items():
        for fixed in sorted({name, dimension.parameter or name} & definition.fixed.keys()):
            rule = f"is searched as well (search_space.{name}): keep one of the two"
            yield Problem.at(f"fixed.{fixed}", rule)


def domain_of(definition: StudyShape, parameter: str) -> Domain | None:
    """The values that the parameter may have in this study; None: any, it is an own task's or an own loop's."""
    if definition.task.is_external:
        return None
    if parameter in OPTIONS and takes(definition, parameter):
        return OPTIONS[parameter].domain
    return PARAMETERS.get(parameter)


def takes(definition: StudyShape, option: str) -> bool:
    """Whether a regularizer of the study has this option."""
    searched = (
        dimension.choices
        for name, dimension in definition.search_space.items()
        if (dimension.parameter or name) == "regularizer" and isinstance(dimension, CategoricalDimension)
    )
    chosen = {definition.fixed.get("regularizer"), *(choice for choices in searched for choice in choices)}
    return not OPTIONS[option].of.isdisjoint(chosen)


def targets(definition: StudyShape) -> Iterator[tuple[str, str]]:
    """Every place that sets a parameter: its path and the parameter."""
    for name, dimension in definition.search_space.items():
        path = f"search_space.{name}" + (".parameter" if dimension.parameter else "")
        yield path, dimension.parameter or name
    for name in definition.fixed:
        yield f"fixed.{name}", name


def stated_values(definition: StudyShape) -> Iterator[tuple[str, str, Value]]:
    """Every value written for a parameter: its path, the parameter, the value."""
    for name, dimension in definition.search_space.items():
        domain = domain_of(definition, dimension.parameter or name)
        if domain is None or dimension.type in domain.types:
            for part, value in extremes(dimension):
                yield f"search_space.{name}.{part}", dimension.parameter or name, value
    for name, value in definition.fixed.items():
        yield f"fixed.{name}", name, value


def extremes(dimension: Dimension) -> list[tuple[str, Value]]:
    """The values that decide whether all values of a dimension lie in a domain without holes."""
    if isinstance(dimension, CategoricalDimension):
        return [(f"choices[{number}]", choice) for number, choice in enumerate(dimension.choices)]
    return [("low", dimension.low), ("high", dimension.high)]


RULES = (
    parameters_are_known,
    types_suit_their_parameters,
    values_lie_in_their_domains,
    options_have_their_regularizer,
    regularizers_have_their_place,
    correlations_have_positions,
    custom_stir_needs_own_task,
    nothing_is_fixed_and_searched,
)
