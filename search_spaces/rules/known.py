"""Rules for known configurations: those that a study starts with, and those that are put into its queue."""

from collections.abc import Iterator, Mapping, Sequence

from pernodedrop.near import nearest
from search_spaces.conditions import is_active
from search_spaces.dimensions import CategoricalDimension, Dimension, IntDimension, Value, matching
from search_spaces.known import Known
from search_spaces.part import by_name
from search_spaces.problems import Problem, listed, shown
from search_spaces.resolution import given_by, is_whole
from search_spaces.rules import parameters, rates, trainable
from search_spaces.samplers import SAMPLERS
from search_spaces.scalars import same
from search_spaces.shape import StudyShape

MARK = "or mark the configuration as outside of it (outside: true)"


def problems_of(definition: StudyShape, known: Known, path: str) -> Iterator[Problem]:
    """What is wrong with the configuration in this study; `path` leads to its parameters."""
    fixed = definition.fixed
    if all(name in fixed and same(value, fixed[name]) for name, value in known.params.items()):
        yield Problem.at(path, "must give at least one parameter that the study does not fix, got none")
    yield from (_outside if known.outside else _inside)(definition, known, path)


def _inside(definition: StudyShape, known: Known, path: str) -> Iterator[Problem]:
    values: dict[str, Value] = dict(definition.fixed)
    dimensions: dict[str, list[str]] = {}  # that set the parameter, by the parameter's name
    active: set[str] = set()  # parameters
    for name in definition.order:
        dimension = definition.search_space[name]
        parameter = dimension.parameter or name
        dimensions.setdefault(parameter, []).append(name)
        if not is_active(dimension, values):
            continue
        active.add(parameter)
        if parameter not in known.params:
            if definition.sampler.visits_grid:
                yield Problem.at(f"{path}.{parameter}", "is missing: the grid sampler draws nothing")
            continue
        value = matching(dimension, known.params[parameter])
        if value is None:
            rule = f"must be {_range(dimension)} in the search space, got {shown(known.params[parameter])}"
            yield Problem.at(f"{path}.{parameter}", f"{rule}{_other_way(dimension, known.params[parameter])}")
            return  # the conditions of others may depend on it
        values[name] = value
    for parameter, value in known.params.items():
        if parameter in definition.fixed:
            if not same(value, definition.fixed[parameter]):
                rule = f"is fixed to {shown(definition.fixed[parameter])} in this study, got {shown(value)}"
                yield Problem.at(f"{path}.{parameter}", f"{rule}: leave it out, {MARK}")
        elif parameter not in dimensions:
            yield _unknown(f"{path}.{parameter}", parameter, [*dimensions, *definition.fixed])
        elif parameter not in active:
            several = [definition.search_space[name] for name in dimensions[parameter]]
            yield _pointless(f"{path}.{parameter}", several, values)


def _unknown(path: str, parameter: str, there: Sequence[str]) -> Problem:
    meant = nearest(parameter, there)
    if meant is not None:
        remedy = f"did you mean {meant}?"
    elif parameter == "outside":
        remedy = "write {params: {...}, outside: true}"
    else:
        remedy = f"it has {', '.join(there) or 'none'}; remove it, {MARK}"
    return Problem.at(path, f"is no dimension of the search space: {remedy}")


def _pointless(path: str, dimensions: Sequence[Dimension], values: Mapping[str, Value]) -> Problem:
    """The problem of a parameter whose condition does not hold; that of its first dimension is named."""
    unmet = [(parent, allowed) for parent, allowed in dimensions[0].when.items() if values.get(parent) not in allowed]
    parent, allowed = unmet[0]
    rule = f"is searched only where {parent} is {listed(allowed)}"
    if parent not in values:
        return Problem.at(path, f"{rule}: give {parent} as well, or leave both out")
    return Problem.at(path, f"{rule}, and it is {shown(values[parent])}: leave the parameter out")


def _other_way(dimension: Dimension, value: Value) -> str:
    """The remedy for a value that the dimension does not have: to write it as a number, if it has that."""
    try:
        number = matching(dimension, float(value)) if isinstance(value, str) else None
    except ValueError:
        number = None
    return f": change it, {MARK}" if number is None else f" (that is text: write {shown(number)} without quotes)"


def _range(dimension: Dimension) -> str:
    """The values of the dimension, for a message."""
    if isinstance(dimension, CategoricalDimension):
        return listed(dimension.choices)
    kind = "a whole number from" if isinstance(dimension, IntDimension) else "from"
    unstepped = dimension.step is None or (isinstance(dimension, IntDimension) and dimension.step == 1)
    step = "" if unstepped else f" in steps of {dimension.step:g}"
    return f"{kind} {shown(dimension.low)} to {shown(dimension.high)}{step}"


def _outside(definition: StudyShape, known: Known, path: str) -> Iterator[Problem]:
    """What would make the training fail: the rules for fixed parameters, with the configuration's among them."""
    whole = definition.model_copy(update={"search_space": {}, "fixed": {**definition.fixed, **known.params}})
    for rule in (*parameters.RULES, *rates.RULES, *trainable.RULES):
        for problem in rule(whole):
            name = problem.path.removeprefix("fixed.")
            if name in known.params:
                yield Problem.at(f"{path}.{name}", problem.message.removeprefix(f"{problem.path} "))
            elif rule in trainable.RULES:
                yield Problem.at(path, f"cannot be trained: {problem.message}")


def known_configurations_fit(definition: StudyShape) -> Iterator[Problem]:
    for number, known in enumerate(definition.start_with):
        yield from problems_of(definition, known, f"start_with[{number}]")


def no_configuration_comes_twice(definition: StudyShape) -> Iterator[Problem]:
    given = [given_by(definition, known) for known in definition.start_with]
    for number, one in enumerate(given):
        first = given.index(one)
        if first < number and is_whole(definition, one):
            yield Problem.at(f"start_with[{number}]", f"is the same as start_with[{first}]: remove one of them")


def known_configurations_are_in_the_budget(definition: StudyShape) -> Iterator[Problem]:
    count = len(definition.start_with)
    if count > definition.trials:
        rule = f"must have at most {definition.trials} configurations, as many as budget.trials, got {count}"
        yield Problem.at("start_with", f"{rule}: raise budget.trials, or give fewer")


def sampler_learns_from_others(definition: StudyShape) -> Iterator[Problem]:
    if definition.start_from is not None and not definition.sampler.learns_from_others:
        able = [name for name, sampler in by_name(SAMPLERS).items() if sampler.learns_from_others]
        rule = f"needs a sampler that learns from the trials of another study: {listed(able)}"
        yield Problem.at("start_from", f"{rule}, got {shown(definition.sampler.name)}")


FIRST_RULES = (sampler_learns_from_others,)
RULES = (known_configurations_fit, known_configurations_are_in_the_budget)
LAST_RULES = (no_configuration_comes_twice,)  # of configurations that fit
