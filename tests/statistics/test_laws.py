"""Our quantiles and tails against scipy's, at ordinary points and where its functions have holes."""

import math

import numpy as np
import pytest
from scipy import stats

from service.statistics import laws
from service.statistics.seeds_needed import seeds_needed

FREEDOM = [1, 2, 5, 30, 1000]


@pytest.mark.parametrize("freedom", FREEDOM)
def test_student_and_chi_squared_are_scipy_s(freedom: int) -> None:
    for share in (0.001, 0.3, 0.5, 0.975, 0.9999):
        assert laws.student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-12)
        assert laws.chi2_tail(30 * share, freedom) == pytest.approx(stats.chi2.sf(30 * share, freedom), rel=1e-9)
    assert laws.student_quantile(0.975, math.inf) == pytest.approx(stats.norm.ppf(0.975), rel=1e-12)
    assert laws.normal_quantile(0.2) == pytest.approx(stats.norm.ppf(0.2), rel=1e-12)


@pytest.mark.parametrize("values", [2, 3, 9, 50])
def test_the_range_is_scipy_s(values: int) -> None:
    for point in (0.5, 2.0, 3.6, 7.0):
        expected = stats.studentized_range.sf(point, values, np.inf)
        assert laws.range_tail(point, values) == pytest.approx(expected, abs=1e-7)
    for tail in (0.5, 0.05, 0.001):
        assert laws.range_tail(laws.range_quantile(tail, values), values) == pytest.approx(tail, rel=1e-9)


def test_a_noncentral_tail_is_a_probability_that_grows_with_the_shift() -> None:
    for freedom in FREEDOM:
        for point in (0.0, 1.7, 2.1, 4.0):
            tails = [laws.noncentral_student_tail(point, freedom, shift) for shift in np.arange(0.0, 12.0, 0.05)]
            assert all(0.0 <= tail <= 1.0 for tail in tails)
            assert (np.diff(tails) > -1e-9).all()
            assert tails[20] == pytest.approx(stats.nct.sf(point, freedom, 1.0), abs=1e-9)


@pytest.mark.parametrize("configurations", [2, 5, 20])
def test_a_larger_effect_never_needs_more_seeds(configurations: int) -> None:
    needed = [seeds_needed(effect, 1.0, configurations) for effect in np.geomspace(0.2, 50.0, 150)]
    known = [seeds for seeds in needed if seeds is not None]
    assert len(known) > 100
    assert (np.diff(known) <= 0).all()


def test_seeds_for_points_at_which_the_tail_has_holes() -> None:
    found = [seeds_needed(effect, 1.0, others) for effect, others in ((1.7723, 20), (2.447, 5), (4.85, 2))]
    assert found == [13, 7, 3]


def test_ranks_share_the_mean_of_equal_values() -> None:
    table = np.array([[0.3, 0.1, 0.3, 0.2], [1.0, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(laws.ranks(table), stats.rankdata(table, axis=1))
