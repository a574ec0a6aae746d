"""The rule that every dimension is searched under some assignment of the others."""

from collections.abc import Iterator, Mapping

from search_spaces.conditions import Needs, all_needs, impossible
from search_spaces.dimensions import CategoricalDimension, Value
from search_spaces.effects import EFFECTS, dependences
from search_spaces.narrowing import setters
from search_spaces.problems import Problem, listed, shown
from search_spaces.scalars import same
from search_spaces.shape import StudyShape


def fixed_parents_allow_their_children(definition: StudyShape) -> Iterator[Problem]:
    for name, dimension in definition.search_space.items():
        for parent, allowed in dimension.when.items():
            value = definition.fixed.get(parent)
            if value is not None and not any(same(value, choice) for choice in allowed):
                rule = f"can never hold: {parent} is fixed to {shown(value)}, not to {listed(allowed)}"
                yield Problem.at(f"search_space.{name}.when.{parent}", rule)


def conditions_can_hold(definition: StudyShape) -> Iterator[Problem]:
    needs = all_needs(definition.search_space)
    for name, dimension in definition.search_space.items():
        parents = [parent for parent in dimension.when if parent in needs]
        if any(impossible(needs[parent]) for parent in parents):
            continue  # the parent is the one to correct
        for contested in impossible(needs[name]):
            wants = ", ".join(claims(contested, name, dimension.when, needs))
            rule = f"can never hold: no value of {contested} serves all of its conditions ({wants})"
            yield Problem.at(f"search_space.{name}.when", rule)


def claims(
    contested: str, name: str, when: Mapping[str, tuple[Value, ...]], needs: Mapping[str, Needs]
) -> Iterator[str]:
    """The demands on the contested parent."""
    if contested in when:
        yield f"{name} needs {listed(when[contested])}"
    for parent in when:
        if contested in needs.get(parent, {}):
            yield f"{parent} needs {listed(sorted(needs[parent][contested], key=str))}"


def dimensions_have_an_effect(definition: StudyShape) -> Iterator[Problem]:
    """Trials that differ in such a dimension alone would be the same training, and their values equal."""
    said: set[str] = set()
    for name, other, takes, values in dependences(definition):
        if not values or name in said or any(map(takes, values)):
            continue
        said.add(name)
        rule = f"has no effect where {other} is {listed(dict.fromkeys(values))}: {_mended(definition, name, other)}"
        yield Problem.at(f"search_space.{name}", rule)


def _mended(definition: StudyShape, name: str, other: str) -> str:
    """The remedy: a condition, where one gives the dimension an effect."""
    needed = EFFECTS[definition.search_space[name].parameter or name]
    condition: dict[str, list[Value]] = {}
    for parameter, takes in needed.items():
        for setter, dimension in setters(definition.search_space, parameter).items():
            taken = [value for value in dimension.values or () if takes(value)]
            if isinstance(dimension, CategoricalDimension) and taken:
                condition[setter] = taken
    if condition.keys().isdisjoint(setters(definition.search_space, other)):
        return f"remove it, or give {other} a value beside which it has one"
    when = ", ".join(f"{setter}: [{', '.join(map(str, taken))}]" for setter, taken in condition.items())
    return f"give it when: {{{when}}}, or remove it"


RULES = (fixed_parents_allow_their_children, conditions_can_hold, dimensions_have_an_effect)
