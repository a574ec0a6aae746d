"""The rule that every dimension is searched under some assignment of the others."""

from collections.abc import Iterator, Mapping

from search_spaces.conditions import Needs, all_needs, impossible
from search_spaces.dimensions import Value
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


RULES = (fixed_parents_allow_their_children, conditions_can_hold)
