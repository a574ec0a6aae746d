"""Friedman's test and Nemenyi's comparison."""

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from service.reports.charts.chart import Trace
from service.reports.charts.critical_difference import critical_difference_figure
from service.statistics import critical_difference, friedman, indistinct_groups, pairwise_p, protected_p

costs = arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(3, 5)), elements=st.integers(0, 8).map(float))


@settings(max_examples=60, deadline=None)
@given(costs)
def test_chi_squared_is_scipys_ties_included(table: np.ndarray) -> None:
    if (np.ptp(table, axis=1) == 0).all():
        assert friedman(table).p_value == 1.0
        return
    expected = stats.friedmanchisquare(*table.T)
    result = friedman(table)
    assert result.chi2 == pytest.approx(expected.statistic, abs=1e-9)
    assert result.p_chi2 == pytest.approx(expected.pvalue, abs=1e-9)


@pytest.mark.parametrize(("n", "k"), [(5, 8), (3, 3), (12, 4)])
def test_the_formulas_of_the_paper(n: int, k: int) -> None:
    table = np.random.default_rng(n * k).normal(size=(n, k))
    sums = stats.rankdata(table, axis=1).sum(axis=0)
    result = friedman(table)
    assert result.chi2 == pytest.approx(12 / (n * k * (k + 1)) * (sums**2).sum() - 3 * n * (k + 1))
    assert result.chi2 == pytest.approx(result.kendall_w * n * (k - 1))
    assert sum(result.mean_ranks) == pytest.approx(k * (k + 1) / 2)


@pytest.mark.parametrize("table", [[[1, 2, 3], [1, 3, 2], [1, 2, 3]], [[1, 1, 2], [3, 2, 1], [1, 2, 2]]])
def test_the_exact_p_value_counts_every_permutation(table: list[list[float]]) -> None:
    ranks = stats.rankdata(np.asarray(table, dtype=float), axis=1)

    def spread(blocks: object) -> float:
        sums = np.asarray(blocks).sum(axis=0)
        return float(((sums - sums.mean()) ** 2).sum())

    every = [spread(blocks) for blocks in product(*(list(permutations(row)) for row in ranks))]
    result = friedman(table)
    assert result.exact
    assert result.p_value == pytest.approx(np.mean(np.asarray(every) >= spread(ranks) - 1e-9))


def test_drawn_permutations_agree_with_all_of_them() -> None:
    """Six blocks of four are too many to enumerate; their p-value is known from the exact distribution of W."""
    table = np.tile([1.0, 2.0, 3.0, 4.0], (6, 1))
    result = friedman(table)
    assert not result.exact
    assert result.kendall_w == pytest.approx(1)
    assert result.p_value <= 1e-3
    assert friedman(table).p_value == result.p_value, "the same each time"


def test_perfect_disagreement_is_no_evidence() -> None:
    assert friedman([[1, 2], [2, 1]]).p_value == 1.0


def test_two_variants_under_five_seeds_can_never_be_told_apart() -> None:
    assert friedman([[0, 1]] * 5).p_value == pytest.approx(2 / 2**5)


@pytest.mark.parametrize(
    ("table", "message"),
    [([[1, 2]], "2 blocks"), ([[1], [2]], "shape .2, 1."), ([[1, math.nan], [1, 2]], "finite")],
)
def test_impossible_tables_are_refused(table: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        friedman(table)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (8, 3.031), (10, 3.164)])
def test_critical_values_of_demsars_table_5(k: int, q: float) -> None:
    assert critical_difference(1, k) / math.sqrt(k * (k + 1) / 6) == pytest.approx(q, abs=1e-3)


def test_the_p_value_is_alpha_at_the_critical_difference() -> None:
    difference = critical_difference(10, 4)
    p = pairwise_p([1.0, 1.0 + difference, 2.0, 2.0], 10)
    assert p[0, 1] == pytest.approx(0.05, abs=1e-4)
    assert np.allclose(p, p.T)
    assert np.allclose(np.diag(p), 1)


def test_groups_are_the_largest_and_in_order() -> None:
    assert indistinct_groups([4.0, 1.0, 1.8, 3.1], 1.4) == [(1, 2), (2, 3), (3, 0)]
    assert indistinct_groups([1.0, 1.2, 1.4, 4.0], 1.0) == [(0, 1, 2)]
    assert indistinct_groups([1.0, 3.0], 1.0) == []


def test_two_variants_that_chance_alone_orders_so_are_not_told_apart() -> None:
    """Five seeds agree in 1 of 16 cases; Nemenyi's own p-value is that of infinitely many."""
    test = friedman(np.tile([1.0, 2.0], (5, 1)))
    assert pairwise_p(test.mean_ranks, 5)[0, 1] < 0.05 < test.p_value
    assert protected_p(test)[0, 1] == test.p_value
    bars = [trace for trace in critical_difference_figure(["a", "b"], test, 0.05)["data"] if _is_bar(trace)]
    assert [(min(bar["x"]) < 1, max(bar["x"]) > 2) for bar in bars] == [(True, True)]
    apart = friedman(np.tile([1.0, 2.0], (6, 1)))
    assert not any(map(_is_bar, critical_difference_figure(["a", "b"], apart, 0.05)["data"]))


def _is_bar(trace: Trace) -> bool:
    return bool(trace["mode"] == "lines" and trace["y"][0] == trace["y"][-1] != 0)
