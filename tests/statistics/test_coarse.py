"""Figures that count examples: the step between them, and what it does to intervals."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.statistics import AllPairs, Outcome, Rules, decide, mean_interval
from service.statistics.coarse import Steps, step_of_shares

Values = NDArray[np.float64]
STUDIES = 200
ALLOWED = 19  # of 200 studies, three standard errors above 5 %
FOLDS = [(38, 37), (90, 89)]


def accuracies(random: np.random.Generator, sizes: tuple[int, ...], shape: tuple[int, int], wrong: float = 3) -> Values:
    """Of equal configurations, by folds of these sizes: the right answers have a standard deviation of one."""
    examples = np.resize(sizes, shape[1])
    return np.asarray(np.round(max(sizes) - wrong + random.normal(size=shape)) / examples)


@pytest.mark.parametrize(
    ("rows", "step"),
    [
        ([[36 / 37, 37 / 38], [35 / 37, 36 / 38]], 1 / 38),
        ([[36 / 40, 38 / 40], [34 / 40, 37 / 40]], 1 / 40),
        ([[97.5, 95.0], [92.5, 90.0]], 2.5),
        ([[0.25, 0.5, 0.75], [0.5]], 0.25),
        ([[0.9, np.nan], [0.85, np.inf]], 1 / 20),
        ([[1.0, 1.0], [0.0, 0.0]], 1.0),
        ([[1.0, 1.0], [1.0]], 0.0),
        ([[0.95, 0.95, np.nan]], 0.0),
    ],
)
@pytest.mark.parametrize("single", [False, True])
def test_the_step_of_shares_is_found(rows: list[list[float]], step: float, single: bool) -> None:
    shown = [np.float32(row).astype(float).tolist() for row in rows] if single else rows
    assert step_of_shares(shown) == pytest.approx(step)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 100.0, 1e5, 1e12, 1e30])
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (5, 2), (5, 5), (1, 10), (1, 30), (2, 30), (3, 30)])
def test_losses_are_no_shares(shape: tuple[int, int], scale: float) -> None:
    random = np.random.default_rng(0)
    for single in (False, True):
        drawn = (scale * random.lognormal(size=(300, *shape))).astype(np.float32 if single else float)
        assert not any(step_of_shares(values.astype(float).tolist()) for values in drawn)


def test_where_all_figures_are_equal_no_step_is_known() -> None:
    same = [0.9] * 3
    assert Steps([same]).of(same) == Steps([same, [0.9]]).of(same) == Steps([]).of([]) == 0
    assert Steps([[np.nan] * 3, same]).of([np.nan] * 3) == 0
    assert Steps([same, [0.925] * 3]).of(same) == pytest.approx(0.025)


def test_the_step_of_losses_is_for_those_that_are_all_equal() -> None:
    rows = [[0.32171234] * 2, [0.41, 0.5987654321]]
    assert Steps(rows).of(rows[0]) == pytest.approx(0.41 - 0.32171234)
    assert Steps(rows).of(rows[1]) == 0


def test_one_that_blew_up_says_nothing_of_the_others_steps() -> None:
    rows = [[0.32171234, 0.33412312, 0.31], [1e30, 0.3, 0.4], [0.32171234] * 3]
    assert Steps(rows).of(rows[0]) == 0
    assert Steps(rows).of(rows[2]) == pytest.approx(0.01)
    shares = [[0.9, 0.925], [0.95, 0.975]]
    assert Steps(shares).of(shares[0]) == pytest.approx(0.025)


@pytest.mark.parametrize("sizes", FOLDS)
@pytest.mark.parametrize(("configurations", "seeds"), [(2, 2), (5, 2), (5, 3)])
def test_by_folds_of_unequal_sizes_equal_configurations_are_alike(
    sizes: tuple[int, ...], configurations: int, seeds: int
) -> None:
    random, missed = np.random.default_rng(seeds), 0
    for _ in range(STUDIES):
        pairs = AllPairs(accuracies(random, sizes, (configurations, seeds)))
        found = [pairs.difference(i, j) for i, j in combinations(range(configurations), 2)]
        missed += any(each.low > 0 or each.high < 0 for each in found)
    assert missed <= ALLOWED


def test_an_example_more_under_every_fold_has_the_variance_of_a_step() -> None:
    ahead, behind = np.array([37 / 38, 36 / 37]), np.array([36 / 38, 35 / 37])
    found = AllPairs(np.stack([ahead, behind])).difference(0, 1)
    reach = 12.706 / 38 / 2  # Student's t of one degree of freedom; one seed in two is a step of 1/38 off
    assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach), rel=1e-3)
    assert found.effect < 2, "in such deviations"


@pytest.mark.parametrize("sizes", [(40,), (38, 37)])
@pytest.mark.parametrize(("configurations", "seeds"), [(2, 2), (5, 2), (2, 5)])
def test_accuracies_that_agree_by_chance_are_not_certainly_equal(
    sizes: tuple[int, ...], configurations: int, seeds: int
) -> None:
    """One configuration is right half an example more often: the intervals hold this difference."""
    random, missed = np.random.default_rng(seeds), 0
    for _ in range(STUDIES):
        values = accuracies(random, sizes, (configurations, seeds))
        better = np.round(values[0] * np.resize(sizes, seeds)) + (random.uniform(size=seeds) < 0.5)
        values[0] = better / np.resize(sizes, seeds)
        pairs, ahead = AllPairs(values), 0.5 / np.resize(sizes, seeds).mean()
        found = [pairs.difference(0, other) for other in range(1, configurations)]
        missed += any(not each.low <= ahead <= each.high for each in found)
    assert missed <= ALLOWED


def test_a_look_does_not_call_accuracies_equal_that_agree_by_chance() -> None:
    same = [0.95, 0.975, 1.0, 0.95, 0.975]
    assert decide([same, same], [5], Rules(30)).outcome is Outcome.OPEN
    assert decide([same, same], [5], Rules(30, indifference=0.02)).outcome is Outcome.EQUAL
    losses = [0.1234567, 0.2345678, 0.3456789, 0.4567891, 0.5678912]
    assert decide([losses, losses], [5], Rules(30)).outcome is Outcome.EQUAL, "they are one training"


@pytest.mark.parametrize("scatter", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_mean_of_figures_that_agree_by_chance_is_covered(scatter: float, seeds: int) -> None:
    random, missed, without = np.random.default_rng(seeds), 0, 0
    for _ in range(STUDIES):
        offset = random.uniform(-0.5, 0.5)
        drawn = np.round(offset + scatter * random.normal(size=(1000, seeds))) / 40
        found, point = mean_interval(drawn[0], step=1 / 40), mean_interval(drawn[0])
        missed += not found.low <= drawn.mean() <= found.high
        without += not point.low <= drawn.mean() <= point.high
    assert missed <= ALLOWED
    assert without > missed


def test_a_step_changes_nothing_where_values_scatter_more() -> None:
    for seeds in (2, 3, 9, 15):
        values = np.random.default_rng(seeds).normal(size=seeds)
        scatter = values.std(ddof=1)
        assert mean_interval(values, step=scatter) == mean_interval(values)
        assert mean_interval(values, step=scatter * seeds) != mean_interval(values)


@pytest.mark.parametrize(
    ("shares", "step", "outcome"), [(0.95, 1 / 20, Outcome.EQUAL), (1.0, 1.0, Outcome.UNDECIDED), (0.0, 1.0, None)]
)
def test_one_accuracy_of_all_has_the_largest_step_that_it_allows(
    shares: float, step: float, outcome: Outcome | None
) -> None:
    """Of few examples all are right under every seed of two configurations, though one is the better."""
    found = AllPairs(np.full((2, 3), shares)).difference(0, 1)
    assert (found.mean, found.low, found.high) == (
        0,
        pytest.approx(-found.high),
        pytest.approx(4.3027 * step / 3, 1e-3),
    )
    assert decide([[-shares] * 5] * 2, [5], Rules(30)).outcome is Outcome.OPEN, "they are not equal by that"
    if outcome is not None:
        assert decide([[-shares] * 30] * 2, [30], Rules(30, indifference=0.02)).outcome is outcome


def test_one_fine_figure_of_all_is_that_of_one_training() -> None:
    assert AllPairs(np.full((2, 3), 0.1234567)).difference(0, 1).high == 0
    assert decide([[0.1234567] * 5] * 2, [5], Rules(30)).outcome is Outcome.EQUAL


def test_those_that_were_dropped_show_the_step_of_those_that_are_left() -> None:
    """Accuracies of 1 over 100 examples, beside others of 0.90 to 0.92, which are soon dropped."""
    perfect, others = [-1.0] * 30, [-0.9 - 0.01 * (seed % 3) for seed in range(30)]
    found = decide([perfect, perfect, others], (5, 7, 10, 13, 17, 23, 30), Rules(30, 0.01))
    assert (found.outcome, found.left) == (Outcome.EQUAL, (0, 1))
    assert decide([perfect, perfect], (5, 7, 10, 13, 17, 23, 30), Rules(30, 0.01)).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("count", [2.0, -100.0])
def test_a_number_beyond_1_is_no_share(count: float) -> None:
    found = decide([[count] * 5] * 2, (5,), Rules(30))
    assert found.outcome is Outcome.EQUAL
