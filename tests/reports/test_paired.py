"""Paired differences, the choice of configurations, and the control at rate 0."""

import math

import numpy as np
import pytest

from service.statistics import (
    Method,
    choose,
    choosing_seeds,
    mean_interval,
    paired_difference,
    zero_rate_control,
)


def test_a_paired_difference_takes_the_seeds_luck_out() -> None:
    seeds = np.asarray([10.0, -5.0, 3.0, 7.0, 0.0])
    result = paired_difference(seeds + np.asarray([1.0, 1.2, 0.8, 1.1, 0.9]), seeds)
    assert result.mean == pytest.approx(1.0)
    interval = mean_interval([1.0, 1.2, 0.8, 1.1, 0.9])
    assert (result.low, result.high, result.method) == (
        pytest.approx(interval.low),
        pytest.approx(interval.high),
        Method.STUDENT,
    )
    assert (result.lower, result.higher) == (0, 5)
    deviation = np.std([1.0, 1.2, 0.8, 1.1, 0.9], ddof=1)
    assert result.effect == pytest.approx((1 - 3 / 15) / deviation)


def test_exchanging_the_two_changes_the_sign() -> None:
    first, second = np.random.default_rng(3).normal(size=(2, 12))
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert back.mean == pytest.approx(-there.mean)
    assert back.effect == pytest.approx(-there.effect)
    assert (back.lower, back.higher) == (there.higher, there.lower)


def test_equal_differences_have_no_interval() -> None:
    result = paired_difference([1.5, 2.5, 3.5], [1.0, 2.0, 3.0])
    assert (result.low, result.mean, result.high, result.effect) == (0.5, 0.5, 0.5, math.inf)
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.mean, same.effect, same.lower, same.higher) == (0, 0, 0, 0)


def test_one_seed_is_no_pair_of_anything() -> None:
    with pytest.raises(ValueError, match="got 1"):
        paired_difference([1.0], [2.0])


@pytest.mark.parametrize(
    ("seeds", "configurations", "choosing"), [(10, 1, 0), (5, 9, 0), (6, 9, 1), (9, 9, 4), (10, 9, 5), (20, 9, 10)]
)
def test_seeds_are_divided_where_there_is_a_choice_and_enough_of_them(
    seeds: int, configurations: int, choosing: int
) -> None:
    assert choosing_seeds(seeds, configurations) == choosing


def test_the_judging_seeds_have_no_say_in_the_choice() -> None:
    table = [[1.0, 1.0, 9.0, 9.0], [2.0, 2.0, 0.0, 0.0]]
    apart = choose(table, choosing=2)
    assert (apart.index, apart.costs.tolist()) == (0, [9.0, 9.0])
    together = choose(table, choosing=0)
    assert (together.index, together.costs.tolist()) == (1, [2.0, 2.0, 0.0, 0.0])


def test_somebody_must_judge() -> None:
    with pytest.raises(ValueError, match="2 choosing seeds leave nothing to judge"):
        choose([[1.0, 2.0]], choosing=2)


def test_the_control_pools_settings_that_several_variants_share() -> None:
    noise = zero_rate_control(
        {
            "units 32": {"dropout": [0.50], "dropconnect": [0.54]},
            "units 64": {"dropout": [0.40, 0.41], "none": [0.42]},
            "units 128": {"dropout": [0.0, 9.0]},
        }
    )
    assert noise is not None
    assert noise.widest == pytest.approx(0.04)
    assert noise.deviation == pytest.approx(math.sqrt((2 * 0.02**2 + 2 * 0.01**2) / 3))
    assert (noise.trainings, noise.variants) == (5, ("dropconnect", "dropout", "none"))


def test_no_shared_settings_no_control() -> None:
    assert zero_rate_control({"units 32": {"dropout": [0.5]}, "units 64": {"none": [0.4]}}) is None
