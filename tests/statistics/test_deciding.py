"""A confirmation's looks: who is dropped, who stays, and why it ends."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from service.statistics import AllPairs, Outcome, Round, Rules, decide, next_look
from service.statistics.all_pairs import ALPHA
from service.statistics.spending import spent

LOOKS = (5, 7, 10)
Costs = list[list[float]]


def drawn(seed: int, means: list[float], seeds: int = 10, scatter: float = 1) -> Costs:
    """Costs of configurations of these means, with a common effect of each seed."""
    random = np.random.default_rng(seed)
    shared = 3 * random.normal(size=seeds)
    return [(mean + scatter * random.normal(size=seeds) + shared).tolist() for mean in means]


def outcome(costs: Costs, *looks: int, most: int = 30, indifference: float = 0) -> tuple[Outcome, tuple[int, ...]]:
    found = decide(costs, looks, Rules(most, indifference))
    return found.outcome, found.left


def assert_bound(look: Round, low: float, high: float) -> None:
    """The first configuration's."""
    assert (look.bounds[0].low, look.bounds[0].high) == pytest.approx((low, high))


def moments(costs: Costs, seeds: int) -> tuple[float, float]:
    """The mean of the differences of two, and its standard error."""
    differences = np.subtract(*np.array(costs)[:, :seeds])
    return float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(seeds)


def test_two_configurations_at_one_look_have_students_bounds() -> None:
    costs = drawn(8, [0, 0])
    mean, error = moments(costs, 7)
    reach = stats.t.isf(ALPHA * spent(7) / 2, 6) * error
    found = decide(costs, [7], Rules(30))
    assert mean - reach < 0 < mean + reach
    assert_bound(found.rounds[0], mean - reach, mean + reach)
    assert found.rounds[0].bounds[0].difference == pytest.approx(mean)
    assert found.outcome is Outcome.OPEN


def test_a_later_look_has_what_the_number_of_seeds_has_added() -> None:
    costs = drawn(8, [0, 0])
    mean, error = moments(costs, 10)
    reach = stats.t.isf(ALPHA * (spent(10) - spent(7)) / 2, 9) * error
    assert_bound(decide(costs, [5, 7, 10], Rules(30)).rounds[2], min(0, mean - reach), max(0, mean + reach))


def test_a_fixed_look_is_that_of_all_pairs_and_has_spent_its_share() -> None:
    costs = drawn(3, [0, 0.3, 0.4])
    pair = AllPairs(np.array(costs)[:, :5]).difference(1, 0)
    other = AllPairs(np.array(costs)[:, :5]).difference(2, 0)
    found = decide(costs, [5], Rules(30, is_fixed_first=True)).rounds[0]
    assert_bound(found, max(-pair.high, -other.high), max(-pair.low, -other.low))
    two = drawn(8, [0, 0])
    mean, error = moments(two, 7)
    rest = (ALPHA - ALPHA / 2) * (spent(7) - spent(5)) / (1 - spent(5))
    reach = stats.t.isf(rest / 2, 6) * error
    later = decide(two, [5, 7], Rules(30, is_fixed_first=True)).rounds[1]
    assert_bound(later, min(0, mean - reach), max(0, mean + reach))


def test_every_look_after_a_fixed_one_leaves_something_to_claim() -> None:
    costs, rest, before = drawn(8, [0, 0]), ALPHA / 2, 5
    rounds = decide(costs, LOOKS, Rules(30, is_fixed_first=True)).rounds
    for seeds, found in list(zip(LOOKS, rounds, strict=True))[1:4]:
        mean, error = moments(costs, seeds)
        share = rest * (spent(seeds) - spent(before)) / (1 - spent(5))
        reach = stats.t.isf(share / 2, seeds - 1) * error
        assert_bound(found, min(0, mean - reach), max(0, mean + reach))
        before = seeds


def test_only_those_left_share_the_error() -> None:
    costs = drawn(2, [0, 0.2, 50])
    first, second = decide(costs, [5, 7], Rules(30)).rounds
    assert (first.dropped, second.compared) == ((2,), (0, 1))
    mean, error = moments(costs[:2], 7)
    reach = stats.t.isf(ALPHA * (spent(7) - spent(5)) / 2, 6) * error
    assert second.bounds[0].low == pytest.approx(mean - reach)


def test_one_that_is_far_ahead_wins_and_stays_the_winner() -> None:
    costs = drawn(4, [9, 0, 9, 9])
    found = decide(costs, LOOKS, Rules(30))
    assert (found.outcome, found.left) == (Outcome.WINNER, (1,))
    assert set(found.rounds[0].dropped) == {0, 2, 3}
    assert found.rounds[0].bounds[1].high == 0
    assert all(found.rounds[0].bounds[one].low == 0 for one in (0, 2, 3))
    assert [one.compared for one in found.rounds[1:]] == [(1,), (1,)]
    assert found.rounds[1].bounds == {}


def test_what_a_dropped_one_cost_later_does_not_matter() -> None:
    costs = drawn(4, [9, 0, 0.1, 9])
    costs[0], costs[3] = costs[0][:5], [*costs[3][:5], math.nan]
    assert decide(costs, LOOKS, Rules(30)) == decide(drawn(4, [9, 0, 0.1, 9]), LOOKS, Rules(30))


def test_a_bound_holds_the_difference_that_was_seen() -> None:
    for seed in range(20):
        for one in decide(drawn(seed, [0, 0, 0.5, 2, 5]), LOOKS, Rules(30, is_fixed_first=seed % 2 == 1)).rounds:
            assert all(bound.low <= bound.difference <= bound.high for bound in one.bounds.values())
            assert all(bound.low <= 0 <= bound.high for bound in one.bounds.values())


def test_the_history_follows_from_the_looks_before() -> None:
    costs = drawn(5, [0, 0.5, 1, 3])
    whole = decide(costs, LOOKS, Rules(30))
    assert whole == decide(costs, LOOKS, Rules(30))
    assert whole.rounds[:2] == decide([row[:7] for row in costs], LOOKS[:2], Rules(7)).rounds


def test_neither_the_order_nor_what_seeds_share_matters() -> None:
    costs = drawn(6, [0, 0.5, 1, 3])
    found, turned = decide(costs, LOOKS, Rules(30)), decide(costs[::-1], LOOKS, Rules(30))
    assert [one.compared for one in turned.rounds] == [tuple(3 - i for i in one.compared) for one in found.rounds]
    moved = (np.array(costs) + 10 * np.arange(10)).tolist()
    assert [one.dropped for one in decide(moved, LOOKS, Rules(30)).rounds] == [one.dropped for one in found.rounds]


def test_those_within_the_zone_are_practically_equal() -> None:
    costs = drawn(7, [0.0, 0.01, 0.02], scatter=0.05)
    assert outcome(costs, *LOOKS, indifference=0.5)[0] is Outcome.EQUAL
    assert outcome(costs, *LOOKS)[0] is Outcome.OPEN
    assert outcome(costs, *LOOKS, indifference=0.01)[0] is Outcome.OPEN


def test_the_most_seeds_end_it_undecided_and_more_open_it_again() -> None:
    costs = drawn(8, [0, 0])
    assert outcome(costs, *LOOKS, most=10) == (Outcome.UNDECIDED, (1, 0))
    assert outcome(costs, *LOOKS, most=20) == (Outcome.OPEN, (1, 0))


def test_the_same_costs_are_equal_and_rounding_is_no_difference() -> None:
    row = drawn(9, [0])[0]
    assert outcome([row, row], 5) == (Outcome.EQUAL, (0, 1))
    assert outcome([row, [cost * (1 + 1e-15) for cost in row]], 5)[0] is Outcome.EQUAL


def test_a_constant_difference_is_certain_after_some_seeds() -> None:
    worse, better = [2.0, 3.0, 5.0, 1.5, 8.0, 2.5, 4.0], [1.0, 2.0, 4.0, 0.5, 7.0, 1.5, 3.0]
    assert outcome([worse, better], 2) == (Outcome.OPEN, (1, 0))
    assert outcome([worse, better], 5) == (Outcome.WINNER, (1,))
    assert outcome([worse, better], 5, indifference=1) == (Outcome.WINNER, (1,))
    steady = decide([[0.9] * 7, [0.8] * 7, [0.7] * 7], [5, 7], Rules(30))  # figures that no seed changes
    assert (steady.outcome, steady.left) == (Outcome.WINNER, (2,))


def test_two_seeds_have_students_bounds_and_one_seed_has_none() -> None:
    costs = [[0.0, 0.1], [1.0, 1.3]]
    mean, error = moments(costs, 2)
    reach = stats.t.isf(ALPHA * spent(2) / 2, 1) * error
    assert_bound(decide(costs, [2], Rules(30)).rounds[0], mean - reach, max(0, mean + reach))
    assert_bound(decide(costs, [1], Rules(30)).rounds[0], -math.inf, math.inf)
    assert outcome(costs, 1) == (Outcome.OPEN, (0, 1))


@pytest.mark.parametrize("cost", [math.inf, math.nan, -math.inf])
def test_one_that_diverged_is_dropped(cost: float) -> None:
    costs = drawn(10, [0, 0.1, -9])
    costs[2][5] = cost
    found = decide(costs, [5, 7], Rules(30))
    assert found.rounds[0].compared[0] == 2
    late = decide(costs, [7], Rules(30))
    assert (late.rounds[0].diverged, set(late.left)) == ((2,), {0, 1})
    assert 2 not in late.rounds[0].bounds
    assert late.outcome is Outcome.OPEN


def test_whoever_is_alone_wins_and_where_all_diverged_nobody_does() -> None:
    assert outcome([[1.0, 2.0]], 2) == (Outcome.WINNER, (0,))
    assert outcome([[1.0, 2.0], [math.nan, 1.0]], 2) == (Outcome.WINNER, (0,))
    assert outcome([[math.inf, 2.0], [math.nan, 1.0]], 2) == (Outcome.UNDECIDED, ())
    assert outcome([[1.0, 2.0], [1.0, 3.0]]) == (Outcome.OPEN, (0, 1))


def test_a_newcomer_is_compared_at_the_look_that_it_has_seeds_for() -> None:
    costs = drawn(11, [0, 0.1, 9])
    newcomer = [*drawn(11, [0, 0.1, 9, -9])[3]]
    short = decide([*costs, newcomer[:6]], [5, 7], Rules(30))
    assert short.rounds[0].compared[0] == 3
    joined = decide([costs[0], costs[2], newcomer[:3]], [5], Rules(30))
    assert (joined.outcome, joined.left) == (Outcome.OPEN, (0, 2))
    assert decide([costs[0], costs[2], newcomer[:3]], [5], Rules(5)).outcome is Outcome.UNDECIDED
    late = decide([costs[0], costs[1], newcomer[:7]], [5, 7], Rules(30))
    assert late.rounds[1].compared[0] == 2


def test_one_that_was_compared_and_has_no_more_seeds_is_out() -> None:
    costs = drawn(12, [0, 0.1, 0.2])
    costs[1] = costs[1][:5]
    found = decide(costs, [5, 7], Rules(30))
    assert [set(one.compared) for one in found.rounds] == [{0, 1, 2}, {0, 2}]
    assert set(found.left) == {0, 2}


@pytest.mark.parametrize("looks", [[5, 5], [7, 5], [0, 5]])
def test_looks_ascend(looks: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        decide(drawn(0, [0, 1]), looks, Rules(30))


@pytest.mark.parametrize("rules", [Rules(0), Rules(5, -0.1), Rules(5, math.nan)])
def test_rules_have_ranges(rules: Rules) -> None:
    with pytest.raises(ValueError, match="most must be at least 1"):
        decide(drawn(0, [0, 1]), [5], rules)


def test_rounds_grow_until_the_most_seeds() -> None:
    looks = [5]
    while looks[-1] < 30:
        looks.append(next_look(looks[-1], 30))
    assert looks == [5, 7, 10, 13, 17, 23, 30]
    assert [next_look(1, 30), next_look(2, 30), next_look(10, 11)] == [2, 3, 11]
    for seeds in (0, 30, 31):
        with pytest.raises(ValueError, match="the most seeds"):
            next_look(seeds, 30)


def test_however_often_it_is_looked_at_the_error_is_not_spent() -> None:
    assert [spent(0), spent(10)] == [0, 0.5]
    shares: NDArray[np.float64] = np.diff([spent(seeds) for seeds in range(10_000)])
    assert (shares > 0).all()
    assert shares.sum() < 1
