"""Rules for `when`: the parents exist, can be conditions, have the named choices, and form no cycle."""

from collections.abc import Hashable, Iterator
from graphlib import CycleError

from search_spaces.conditions import in_order
from search_spaces.dimensions import CategoricalDimension, Value
from search_spaces.problems import Problem, listed, shown
from search_spaces.scalars import exact
from search_spaces.shape import StudyShape


def links(definition: StudyShape) -> Iterator[tuple[str, str, str, tuple[Value, ...]]]:
    """Every condition: its path, the child, the parent, the allowed values."""
    for child, dimension in definition.search_space.items():
        for parent, allowed in dimension.when.items():
            yield f"search_space.{child}.when.{parent}", child, parent, allowed


def parents_exist(definition: StudyShape) -> Iterator[Problem]:
    for path, _, parent, _ in links(definition):
        if parent not in definition.search_space and parent not in definition.fixed:
            yield Problem.at(path, "names neither a dimension of search_space nor a fixed value")


def parents_are_categorical(definition: StudyShape) -> Iterator[Problem]:
    for path, _, parent, _ in links(definition):
        dimension = definition.search_space.get(parent)
        if dimension is not None and not isinstance(dimension, CategoricalDimension):
            rule = f"must name a categorical dimension or a fixed value, got type {shown(dimension.type)}"
            yield Problem.at(path, rule)


def parents_have_the_choices(definition: StudyShape) -> Iterator[Problem]:
    choices: dict[str, frozenset[Hashable]] = {}
    for path, _, parent, allowed in links(definition):
        dimension = definition.search_space.get(parent)
        if not isinstance(dimension, CategoricalDimension):
            continue  # whether a fixed parent's one value is allowed is a matter of reachability
        if parent not in choices:
            choices[parent] = frozenset(map(exact, dimension.choices))
        for value in allowed:
            if exact(value) not in choices[parent]:
                yield Problem.at(path, f"must be {listed(dimension.choices)}, got {shown(value)}")


def conditions_form_no_cycle(definition: StudyShape) -> Iterator[Problem]:
    try:
        in_order(definition.search_space)
    except CycleError as error:
        circle = list(reversed(error.args[1]))  # from a child over its parents back to itself
        rule = "depends on itself" if len(circle) == 2 else f"forms a cycle: {' -> '.join(circle)}"
        yield Problem.at(f"search_space.{circle[0]}.when", rule)


RULES = (parents_exist, parents_are_categorical, parents_have_the_choices, conditions_form_no_cycle)
