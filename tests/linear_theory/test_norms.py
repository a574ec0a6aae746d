"""The k-support norm by its rule, against its definition as a minimum."""

import pytest
import torch
from torch import Tensor

from pernodedrop.linear_theory import dual_norm_squared, effective_rank, support_norm_squared
from tests.linear_theory.problems import drawn, target


def least_over_weights(values: Tensor, k: int) -> float:
    """min sum a_i^2 / t_i over 0 < t <= 1 with sum t <= k: t_i = min(1, a_i / level), the level by bisection."""
    sizes = values.abs()
    if int((sizes > 0).sum()) <= k:
        return float(sizes.square().sum())
    low, high = 0.0, float(sizes.sum())
    for _ in range(200):
        level = 0.5 * (low + high)
        low, high = (level, high) if float((sizes / level).clamp_max(1.0).sum()) > k else (low, level)
    weights = (sizes / high).clamp_max(1.0)
    return float((sizes.square() / weights).nansum())


def test_the_rule_is_the_minimum_over_weights() -> None:
    for number in range(200):
        n, k = 2 + number % 9, 1 + number % 5
        values = drawn(n, seed=number) ** (1 + number % 3)
        assert float(support_norm_squared(values, k)) == pytest.approx(least_over_weights(values, k), rel=1e-13)


def test_the_rule_is_neither_the_least_nor_the_largest_of_its_expression() -> None:
    ones = torch.ones(3, dtype=torch.float64)
    assert float(support_norm_squared(ones, 2)) == pytest.approx(4.5, abs=1e-14)  # rho = 2 gives 5
    assert float(support_norm_squared(torch.tensor([9.0, 1.0, 1.0]), 2)) == pytest.approx(85.0)  # rho = 1 gives 60.5


def test_special_cases() -> None:
    values = drawn(6, seed=3)
    assert float(support_norm_squared(values, 1)) == pytest.approx(float(values.abs().sum() ** 2))
    for k in (6, 9):
        assert float(support_norm_squared(values, k)) == pytest.approx(float(values.square().sum()))
    assert float(support_norm_squared(torch.zeros(4), 2)) == 0.0
    matrix = target([3.0, 2.0, 1.0])
    assert float(support_norm_squared(matrix, 1)) == pytest.approx(36.0)
    assert float(dual_norm_squared(matrix, 2)) == pytest.approx(13.0)


def test_it_is_the_dual_of_the_largest_entries() -> None:
    """<x, y> is at most the product of both norms, and reaches it on the sparse vectors that span the ball."""
    for number in range(50):
        x, y = drawn(7, seed=number), drawn(7, seed=1000 + number)
        assert float(x @ y) ** 2 <= float(support_norm_squared(x, 3) * dual_norm_squared(y, 3)) * (1 + 1e-12)
        best = torch.where(y.abs() >= y.abs().sort().values[-3], y, 0.0)
        assert float(best @ y) ** 2 == pytest.approx(float(support_norm_squared(best, 3) * dual_norm_squared(y, 3)))


def test_effective_rank() -> None:
    assert float(effective_rank(target([2.0, 2.0, 2.0, 0.0]))) == pytest.approx(3.0)
    assert 1.0 < float(effective_rank(torch.tensor([5.0, 1.0]))) < 2.0
    assert float(effective_rank(torch.zeros(3))) == 0.0


@pytest.mark.parametrize("k", [0, 1.5, True])
def test_k_is_a_whole_number(k: float) -> None:
    for norm in (support_norm_squared, dual_norm_squared):
        with pytest.raises(ValueError, match="block must be a whole number of at least 1, got"):
            norm(torch.ones(3), k)  # type: ignore[arg-type]
