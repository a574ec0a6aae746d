"""Random search spaces for hypothesis, and what is true of them by brute force."""

import itertools
from typing import Any

from hypothesis import strategies as st

from tests.search_spaces.studies import categorical, own, real, whole

LETTERS = ("a", "b", "c")


def conditions(parents: list[str], least: int) -> st.SearchStrategy[dict[str, list[str]]]:
    """Conditions on up to two of the parents, mostly on a single choice of each."""
    allowed = st.sampled_from([["a"], ["b"], ["a", "b"]])
    if not parents:
        return st.just({})
    return st.dictionaries(st.sampled_from(parents), allowed, min_size=least, max_size=2)


@st.composite
def small_spaces(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Up to five finite dimensions with any conditions between them, possible or not; never a cycle."""
    space: dict[str, dict[str, Any]] = {}
    parents: list[str] = []
    for number in range(draw(st.integers(0, 5))):
        # Names in falling order, so that an order by name alone would ask children first.
        name = f"d{9 - number}"
        kind = draw(st.sampled_from(["categorical", "categorical", "int", "shared"]))
        when = draw(conditions(parents, least=int(kind == "shared" or draw(st.booleans()))))
        if kind == "categorical":
            space[name] = categorical(*LETTERS[: draw(st.integers(2, 3))], when=when)
            parents.append(name)
        else:
            low = draw(st.integers(0, 2))
            space[name] = whole(low, low + draw(st.integers(0, 2)), when=when)
            if kind == "shared":
                space[name]["parameter"] = "shared"
    return space


def values_of(dimension: dict[str, Any]) -> list[Any]:
    return dimension.get("choices") or list(range(dimension["low"], dimension["high"] + 1))


def active_in(space: dict[str, dict[str, Any]], assignment: dict[str, Any]) -> set[str]:
    """The active dimensions under an assignment of all, as the least set that the conditions build up."""
    active: set[str] = set()
    while True:
        grown = {
            name
            for name, dimension in space.items()
            if all(parent in active and assignment[parent] in when for parent, when in dimension["when"].items())
        }
        if grown == active:
            return active
        active = grown


def combinations_of(space: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every distinct combination of active dimensions, by trying all assignments."""
    seen: list[dict[str, Any]] = []
    for values in itertools.product(*map(values_of, space.values())):
        assignment = dict(zip(space, values, strict=True))
        active = {name: assignment[name] for name in sorted(active_in(space, assignment))}
        if active not in seen:
            seen.append(active)
    return seen


def is_possible(space: dict[str, dict[str, Any]]) -> bool:
    """Whether every dimension is active somewhere, and no parameter is set twice at once."""
    everywhere = combinations_of(space)
    reached = set().union(*everywhere)
    twice = any(sum("parameter" in space[name] for name in active) > 1 for active in everywhere)
    return reached == set(space) and not twice


numbers = st.floats(-(2.0**53), 2.0**53)
whole_numbers = st.integers(-(2**53), 2**53)
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=200)


@st.composite
def wide_dimensions(draw: st.DrawFn) -> dict[str, Any]:
    """One dimension of any kind, over the whole range of what is allowed."""
    kind = draw(
        st.sampled_from(["float", "log float", "stepped float", "int", "log int", "stepped int", "categorical"])
    )
    if kind == "categorical":
        scalars = st.one_of(texts, whole_numbers, numbers, st.booleans())
        return categorical(*draw(st.lists(scalars, min_size=1, max_size=5, unique=True)))
    if kind == "stepped float":
        step, first, steps = draw(st.integers(1, 999)), draw(st.integers(-999, 999)), draw(st.integers(1, 99))
        return real(first / 1000, (first + step * steps) / 1000, step=step / 1000)
    if kind == "stepped int":
        step, first, steps = draw(st.integers(1, 10**6)), draw(whole_numbers), draw(st.integers(1, 99))
        first = min(first, 2**53 - step * steps)
        return whole(first, first + step * steps, step=step)
    bounds: dict[str, st.SearchStrategy[float]] = {
        "float": numbers,
        "log float": st.floats(1e-300, 2.0**53),
        "int": whole_numbers,
        "log int": st.integers(1, 2**53),
    }
    low, high = sorted(draw(st.tuples(bounds[kind], bounds[kind])))
    dimension = {"type": kind.split()[-1], "low": low, "high": high}
    return dimension | {"log": True} if kind.startswith("log") else dimension


wide_spaces = st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,20}\Z"), wide_dimensions(), max_size=6)


def random_study(space: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return own(space, **{"sampler": {"name": "random"}, **changes})
