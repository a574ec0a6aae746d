"""The work of checking grows with a definition, not with its square: counted in calls of functions."""

import sys
from types import FrameType
from typing import Any

import pytest

from search_spaces import InvalidDefinition, parse_definition
from search_spaces.problems import MOST_PROBLEMS
from tests.search_spaces.studies import categorical, own, whole

Space = dict[str, Any]


def calls_to_check(space: Space, **parts: Any) -> tuple[int, int]:
    """The calls of functions that checking takes, and the problems that it finds."""
    data, calls, problems = own(space, **parts), 0, 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse_definition(data)
    except InvalidDefinition as error:
        problems = len(error.problems)
    finally:
        sys.setprofile(None)
    return calls, problems


def linked(choices: int, named: int = 0) -> Space:
    """12 dimensions that depend on all before them; their conditions name the choices from `named` on."""
    allowed = list(range(named, named + choices))
    return {
        f"d{i}": categorical(*range(choices), **({"when": {f"d{j}": allowed for j in range(i)}} if i else {}))
        for i in range(12)
    }


def switched(choices: int) -> Space:
    """As many dimensions of one parameter as a study may have, each under values of its own, and a wide parent."""
    wide = {"wide": list(range(choices))}
    each = {f"x{i}": whole(0, 1, parameter="x", when={"root": [i], **wide}) for i in range(60)}
    return {"root": categorical(*range(60)), "wide": categorical(*range(choices)), **each}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (linked, 0),
        (lambda choices: linked(choices, named=1000), MOST_PROBLEMS),
        (lambda choices: {"x": categorical(*[1] * choices)}, MOST_PROBLEMS),
        (switched, 0),
    ],
)
def test_twice_the_choices_are_at_most_twice_the_work(of: Any, expected: int) -> None:
    (some, found), (more, found_of_more) = calls_to_check(of(100)), calls_to_check(of(200))
    assert found == found_of_more == expected
    assert more < 2.2 * some


def test_a_definition_full_of_faults_is_told_a_few_of_them() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(own(linked(256, named=1000)))
    assert len(caught.value.problems) == MOST_PROBLEMS
    assert caught.value.problems[0].message == (
        "search_space.d1.when.d0 must be 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (256 in all), got 1000"
    )


def test_conditions_tell_1_from_true_and_from_1_0() -> None:
    for choice, named in ((1, True), (1, 1.0), (True, 1), (1.0, 1), (0, False)):
        space = {"a": categorical(choice, "other"), "b": categorical("x", when={"a": [named]})}
        with pytest.raises(InvalidDefinition, match=r"search_space\.b\.when\.a must be"):
            parse_definition(own(space))
        parse_definition(own({**space, "b": categorical("x", when={"a": [choice]})}))
