"""Every sampler on every shape of space, in every way to search: it draws what suits, nothing twice, or is refused."""

import math

import pytest

from search_spaces import StudyDefinition
from search_spaces.grids import boxes
from tests.search_spaces.shapes import SAMPLERS, SHAPES, WAYS, assert_suits, definitions, play

# Optuna's TPE takes the logarithm of a bound that a range of 2**54 numbers rounds to 1.
pytestmark = [  # Optuna's, on enormous ranges
    pytest.mark.filterwarnings("ignore:divide by zero encountered in log1p:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in subtract:RuntimeWarning"),
]


def check(sampler: str, shape: str, way: str) -> int:
    """Play the study, and return how many were played: one that was accepted."""
    played = 0
    for definition in definitions(sampler, shape, way):
        drawn = play(definition)
        for params in drawn:
            assert_suits(definition, dict(params))
        if shape != "narrow":  # an interval of two numbers
            different = {repr(sorted(params.items())) for params in drawn}
            assert len(different) == min(len(drawn), size_of(definition))
        played += 1
    return played


def size_of(definition: StudyDefinition) -> float:
    """The number of configurations."""
    is_finite = all(dimension.values is not None for dimension in definition.search_space.values())
    return sum(box.size for box in boxes(definition.search_space, definition.fixed)) if is_finite else math.inf


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_a_sampler_draws_from_a_space_or_is_refused(number: int) -> None:
    """A part of the next test: each shape once, with the samplers and ways in turn."""
    sampler, way = list(SAMPLERS)[number % len(SAMPLERS)], list(WAYS)[number % len(WAYS)]
    check(sampler, list(SHAPES)[number], way)


@pytest.mark.wide
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_from_every_space_or_is_refused(sampler: str) -> None:
    others = [way for way in WAYS if way != "free"]
    played = sum(
        check(sampler, shape, "free") + check(sampler, shape, others[number % len(others)])
        for number, shape in enumerate(SHAPES)
    )
    assert played >= (4 if sampler == "grid" else len(SHAPES))
