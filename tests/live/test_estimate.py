"""Estimates of the end: exact where everything is known, an interval that holds the truth, and none without figures."""

import heapq
import random
from statistics import fmean

from service.dashboard.study.live.estimate import Estimate, Running, Work, estimate


def test_the_last_trials_end_by_their_epochs() -> None:
    found = estimate(Work([10.0] * 8, [Running(2.0, 8.0), Running(7.0, 3.0)], 0, 2, is_pruned=False))
    assert found == Estimate(8.0, 0.9 * 8.0, 1.15 * 8.0)


def test_equal_trials_end_in_as_many_rounds_as_it_takes() -> None:
    found = estimate(Work([10.0] * 8, [Running(0.0, 10.0)] * 4, 9, 4, is_pruned=False))
    assert found is not None
    assert found.expected_s == 40.0


def test_without_figures_or_workers_nothing_is_said() -> None:
    assert estimate(Work([], [Running(1.0, None)], 5, 1, is_pruned=False)) is None
    assert estimate(Work([10.0], [], 5, 0, is_pruned=False)) is None
    assert estimate(Work([], [], 5, 2, is_pruned=False)) is None


def test_before_the_first_end_the_epochs_in_training_count() -> None:
    found = estimate(Work([], [Running(4.0, 6.0)], 1, 1, is_pruned=False))
    assert found is not None
    assert found.expected_s == 16.0
    assert found.earliest_s < 16.0 < found.latest_s


def test_where_trials_are_pruned_one_in_training_may_end_sooner() -> None:
    ended = [2.0, 2.0, 4.0, 4.0, 4.0, 5.0, 20.0, 4.0]
    kept = estimate(Work(ended, [Running(3.0, 17.0)], 0, 1, is_pruned=False))
    pruned = estimate(Work(ended, [Running(3.0, 17.0)], 0, 1, is_pruned=True))
    assert kept is not None
    assert pruned is not None
    assert kept.expected_s == 17.0
    assert pruned.expected_s == fmean([1.0, 1.0, 1.0, 2.0, 17.0, 1.0])


def test_a_long_queue_is_as_good_as_its_sum() -> None:
    short = estimate(Work([10.0] * 50, [], 5_000, 8, is_pruned=False))
    long = estimate(Work([10.0] * 50, [], 5_001, 8, is_pruned=False))
    assert short is not None
    assert long is not None
    assert abs(short.expected_s - long.expected_s) <= 10.0


def test_the_interval_holds_the_end_nine_times_in_ten() -> None:
    """2,000 queues of which 30 trials have ended; 86 % is six standard errors below 90 %."""
    rng = random.Random(11)

    def seconds() -> float:
        return rng.lognormvariate(2.0, 0.5)

    inside = 0
    for _ in range(2_000):
        found = estimate(Work([seconds() for _ in range(30)], [], 60, 6, is_pruned=False))
        assert found is not None
        free = [0.0] * 6
        for _ in range(60):
            heapq.heapreplace(free, free[0] + seconds())
        inside += found.earliest_s <= max(free) <= found.latest_s
    assert 0.86 <= inside / 2_000 <= 0.99, inside
