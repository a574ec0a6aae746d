"""Rules for dimensions that set the same parameter, each under its own condition."""

from collections.abc import Iterator
from itertools import combinations

from search_spaces.conditions import all_needs, both, impossible
from search_spaces.dimensions import CategoricalDimension, Dimension
from search_spaces.problems import Problem
from search_spaces.shape import StudyShape


def pairs(definition: StudyShape) -> Iterator[tuple[str, str]]:
    """Every pair of dimensions that set the same parameter."""
    for first, second in combinations(sorted(definition.search_space), 2):
        one, other = definition.search_space[first], definition.search_space[second]
        if (one.parameter or first) == (other.parameter or second):
            yield first, second


def alternatives_exclude_each_other(definition: StudyShape) -> Iterator[Problem]:
    needs = all_needs(definition.search_space)
    for first, second in pairs(definition):
        if not impossible(both(needs[first], needs[second])):
            rule = f"sets the same parameter as {first}: give the two conditions that exclude each other"
            yield Problem.at(f"search_space.{second}", rule)


def alternatives_are_of_one_kind(definition: StudyShape) -> Iterator[Problem]:
    space = definition.search_space
    for first, second in pairs(definition):
        if kind(space[first]) != kind(space[second]):
            rule = f"sets the same parameter as {first}: only the ranges may differ, not type, log or choices"
            yield Problem.at(f"search_space.{second}", rule)


def kind(dimension: Dimension) -> tuple[object, ...]:
    """The properties that Optuna does not let vary under one name."""
    if isinstance(dimension, CategoricalDimension):
        return dimension.type, dimension.choices
    return dimension.type, dimension.log


RULES = (alternatives_exclude_each_other, alternatives_are_of_one_kind)
