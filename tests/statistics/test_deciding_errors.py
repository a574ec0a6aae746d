"""How often a confirmation errs over all its looks together: simulations with a fixed seed.

A share may exceed what is allowed by three standard errors.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.statistics import Decision, Outcome, Rules, decide
from service.statistics.all_pairs import ALPHA

Floats = NDArray[np.float64]
STUDIES = 150
RULES = Rules(most=30)
LOOKS = (5, 7, 10, 13, 17, 23, 30)
ALLOWED = STUDIES * ALPHA + 3 * math.sqrt(STUDIES * ALPHA * (1 - ALPHA))


def decided(
    draw: Callable[[np.random.Generator], Floats], rules: Rules = RULES, looks: tuple[int, ...] = LOOKS
) -> list[Decision]:
    random = np.random.default_rng(0)
    return [decide(draw(random).tolist(), looks, rules) for _ in range(STUDIES)]


def named(found: list[Decision]) -> int:
    return sum(one.outcome is Outcome.WINNER for one in found)


def lost(found: list[Decision], configuration: int) -> int:
    """The number of studies that dropped it."""
    return sum(configuration not in one.left for one in found)


EQUALS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "alike": lambda random: random.normal(size=(2, 30)),
    "noisy": lambda random: random.normal(size=(4, 30)) * np.array([[4], [1], [1], [1]]),
    "skewed": lambda random: random.exponential(size=(3, 30)),
}


@pytest.mark.parametrize("name", EQUALS)
def test_equal_configurations_have_no_winner(name: str) -> None:
    found = decided(EQUALS[name])
    assert named(found) <= ALLOWED
    assert max(lost(found, one) for one in range(len(found[0].rounds[0].compared))) <= ALLOWED


def test_a_fixed_look_before_and_an_extension_after_keep_the_error() -> None:
    found = decided(
        lambda random: random.normal(size=(2, 51)), Rules(30, is_fixed_first=True), looks=(*LOOKS, 39, 51)
    )  # equal ones are told apart in 7.5 % at most, because the fixed look has spent 5 % on them
    assert lost(found, 0) <= ALLOWED
    assert named(found) <= 1.5 * ALLOWED


def test_extending_a_fixed_one_again_and_again_keeps_the_error() -> None:
    """Only its first end was seen with intervals of all pairs, so every later one has a share of what they left."""
    found = decided(lambda random: random.normal(size=(2, 30)), Rules(30, is_fixed_first=True), looks=(3, *LOOKS))
    assert lost(found, 0) <= ALLOWED
    assert named(found) <= 1.5 * ALLOWED


def test_the_best_stays_where_the_others_are_dropped_soon() -> None:
    """Two are equal; those left share the error, which is then a large share for the two."""
    found = decided(lambda random: random.normal(size=(6, 30)) + np.array([[0], [0], [2], [2], [2], [2]]))
    assert named(found) <= ALLOWED
    assert lost(found, 0) <= ALLOWED
    assert sum(set(one.left) <= {0, 1} for one in found) >= 0.9 * STUDIES


def test_one_that_is_two_deviations_ahead_is_named_with_few_trainings() -> None:
    found = decided(lambda random: random.normal(size=(5, 30)) - np.array([[2], [0], [0], [0], [0]]))
    assert sum(one.left == (0,) for one in found) >= 0.97 * STUDIES
    trainings = [
        sum(
            len(one.compared) * (one.seeds - before)
            for one, before in zip(each.rounds, (0, *LOOKS), strict=False)
            if len(one.compared) > 1
        )
        for each in found
    ]
    assert np.mean(trainings) < 55


def test_a_difference_beyond_the_zone_is_not_called_equal() -> None:
    """Small noise: equal ones are called so, and those that differ by a little more than the zone are not."""
    rules = Rules(30, indifference=0.5)
    near = decided(lambda random: 0.3 * random.normal(size=(2, 30)), rules)
    far = decided(lambda random: 0.3 * random.normal(size=(2, 30)) + np.array([[0], [0.51]]), rules)
    assert sum(one.outcome is Outcome.EQUAL for one in near) >= 0.9 * STUDIES
    assert sum(one.outcome is Outcome.EQUAL for one in far) <= ALLOWED
