"""Conditions between dimensions: when each is searched, and in which order."""

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter

from search_spaces.dimensions import Dimension, Value

Space = Mapping[str, Dimension]
Needs = dict[str, frozenset[Value]]  # a parent's name and the values that it may still have


def in_order(space: Space) -> list[str]:
    """The dimensions, parents first and otherwise by name; raises graphlib.CycleError.

    The order of the file is not used: JSON objects have none, and Postgres' jsonb sorts them its own way,
    while a sampler's draws depend on the order of its questions.
    """
    sorter = TopologicalSorter(
        {name: [parent for parent in dimension.when if parent in space] for name, dimension in space.items()}
    )
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        generation = sorted(sorter.get_ready())
        order += generation
        sorter.done(*generation)
    return order


def is_active(dimension: Dimension, values: Mapping[str, Value]) -> bool:
    """Whether the condition holds, given the values of the fixed and of all earlier active dimensions."""
    return holds(dimension.when, values)


def holds(condition: Mapping[str, Collection[Value]], values: Mapping[str, Value]) -> bool:
    """Whether every parent has one of its allowed values."""
    return all(parent in values and values[parent] in allowed for parent, allowed in condition.items())


def all_needs(space: Space) -> dict[str, Needs]:
    """The values that every dimension needs its ancestors to have, its parents' own conditions included.

    A condition is a conjunction of memberships, one set of values a parent, so the intersection of the sets
    decides exactly whether any assignment satisfies it: it does if no set is empty.
    """
    needs, own = dict[str, Needs](), own_needs(space)
    for name in in_order(space):
        inherited = [needs[parent] for parent in own[name] if parent in needs]
        needs[name] = both(own[name], *inherited)
    return needs


def own_needs(space: Space) -> dict[str, Needs]:
    """The values that every dimension's own condition allows."""
    return {
        name: {parent: frozenset(allowed) for parent, allowed in dimension.when.items()}
        for name, dimension in space.items()
    }


def both(*several: Needs) -> Needs:
    """The needs of all of them at once."""
    joint: Needs = {}
    for needs in several:
        for parent, allowed in needs.items():
            joint[parent] = joint[parent] & allowed if parent in joint else allowed
    return joint


def impossible(needs: Needs) -> list[str]:
    """The parents that are left without a value."""
    return sorted(parent for parent, allowed in needs.items() if not allowed)
