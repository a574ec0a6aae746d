"""The global minimizer under Dropout and DropBlock: its figures, its certificate, and the descent that it predicts."""

import pytest
import torch

from pernodedrop.linear_theory import (
    balanced,
    block_norms,
    block_penalty,
    dual_norm_squared,
    imbalance,
    keep_rate_at,
    least_singular_values,
    minimize_by_blocks,
    strength,
    support_norm_squared,
)
from tests.linear_theory.problems import descended, drawn, target

M = [9.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.0, 0.0, 0.0, 0.0]
EYE = torch.eye(10, dtype=torch.float64)


@pytest.mark.parametrize(
    ("block", "values", "least"),
    [
        (1, [4.5], "54.7900"),
        (2, [4.5, 4 / 3, 1 / 3], "50.1233"),
        (3, [4.5, 1.5, 1.0], "48.2900"),
        (4, [4.5, 1.5, 1.0, 0.5], "47.7900"),
    ],
)
def test_known_optima(block: int, values: list[float], least: str) -> None:
    found = minimize_by_blocks(target(M), EYE, beta=strength(0.5), block=block)
    assert found.values.tolist() == pytest.approx([*values, *[0.0] * (10 - len(values))], abs=1e-13)
    assert f"{found.objective:.4f}" == least
    assert found.rank == len(values)
    assert found.gap < 1e-14
    torch.testing.assert_close(torch.linalg.svdvals(found.product), found.values, atol=1e-13, rtol=0.0)


def test_the_certificate_holds_for_random_problems_and_fails_for_what_is_no_minimizer() -> None:
    for number in range(60):
        n, block, beta = 3 + number % 8, 1 + number % 4, 10.0 ** (number % 5 - 2)
        y, x = drawn(n, n, seed=number), drawn(n, n + 4, seed=100 + number)
        found = minimize_by_blocks(y @ x, x, beta=beta, block=block)
        assert found.gap < 1e-12
        m = torch.linalg.svdvals(y @ x @ x.T @ torch.linalg.inv(_root(x @ x.T)))
        u, scale = (m - found.values) / beta, float(m.square().sum()) / min(beta, 1.0)
        norm = float(support_norm_squared(found.values, block))
        assert abs(float(u @ found.values) - norm) / scale < 1e-12
        assert abs(float(dual_norm_squared(u, block)) - norm) / scale < 1e-12 / beta
    from pernodedrop.linear_theory.minimizer import _gap

    m = torch.tensor(M, dtype=torch.float64)
    a = least_singular_values(m, beta=1.0, block=3)
    for shift in (1e-3, -1e-3):
        moved = a * (1 + shift)
        excess = float((m - moved).square().sum() + support_norm_squared(moved, 3)) - 48.29
        assert 0.0 < excess <= _gap(m, moved, 1.0, 3)


def _root(matrix: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.sqrt()) @ vectors.T


@pytest.mark.parametrize(("block", "width", "least"), [(1, 4, 54.79), (1, 10, 54.79), (3, 6, 48.29), (3, 12, 48.29)])
def test_the_factors_that_a_descent_finds_are_the_optimum_and_balanced(block: int, width: int, least: float) -> None:
    y, theta = target(M), keep_rate_at(width, block, 0.5)
    variance = (1 - theta) / theta
    u, v = descended(y, EYE, width, lambda u, v: block_penalty(u, v, EYE, variance, block))
    value = float((y - u @ v.T).square().sum() + block_penalty(u, v, EYE, variance, block))
    assert value == pytest.approx(least, abs=1e-6)
    assert float(imbalance(u, v, EYE, block)) < 1e-4
    product = minimize_by_blocks(y, EYE, beta=1.0, block=block).product
    torch.testing.assert_close(u @ v.T, product, atol=1e-3, rtol=0.0)


def test_one_block_is_a_ridge_of_limited_rank_and_above_the_convex_value() -> None:
    y = target(M)
    u, v = descended(y, EYE, 2, lambda u, v: block_penalty(u, v, EYE, 1.0, 2))
    assert float((y - u @ v.T).square().sum() + block_penalty(u, v, EYE, 1.0, 2)) == pytest.approx(50.29, abs=1e-6)


def test_any_inputs_of_full_row_rank_are_the_identity() -> None:
    x = drawn(4, 9, seed=2)
    y = drawn(3, 4, seed=3) @ x + 0.3 * drawn(3, 9, seed=4)
    found = minimize_by_blocks(y, x, beta=0.2, block=2)
    assert found.rank == 3
    theta = keep_rate_at(8, 2, 1 / 1.2)
    variance = (1 - theta) / theta
    u, v = descended(y, x, 8, lambda u, v: block_penalty(u, v, x, variance, 2))
    value = float((y - u @ v.T @ x).square().sum() + block_penalty(u, v, x, variance, 2))
    assert value == pytest.approx(found.objective, abs=1e-6)
    torch.testing.assert_close(u @ v.T, found.product, atol=1e-3, rtol=0.0)
    assert float(imbalance(u, v, x, 2)) < 1e-4
    assert float(imbalance(u, v, torch.eye(4).double(), 2)) > 1e-2  # it is a matter of the inputs


@pytest.mark.parametrize("width", [3, 4, 7])
def test_balanced_factors_reach_the_least_penalty(width: int) -> None:
    x = drawn(5, 9, seed=2)
    product = drawn(6, 3, seed=3) @ drawn(3, 5, seed=4)
    u, v = balanced(product, width, x @ x.T)
    torch.testing.assert_close(u @ v.T, product)
    assert float(imbalance(u, v, x)) < 1e-12
    nuclear = float(torch.linalg.svdvals(product @ x).sum())
    assert float(block_penalty(u, v, x, 1.0)) == pytest.approx(nuclear**2 / width)
    assert float(block_norms(u, v, x).sum()) == pytest.approx(nuclear)


def test_imbalance() -> None:
    eye = torch.eye(2, dtype=torch.float64)
    assert float(imbalance(torch.diag(torch.tensor([1.0, 3.0])).double(), eye, eye)) == pytest.approx(0.5)
    assert float(imbalance(eye, torch.diag(torch.tensor([1.0, 0.0])).double(), eye)) == pytest.approx(1.0)
    assert float(imbalance(0.0 * eye, eye, eye)) == 0.0


def test_a_block_of_all_is_a_ridge_and_zeros_stay_zeros() -> None:
    m = torch.tensor([3.0, 1.0], dtype=torch.float64)
    for block in (2, 5):
        assert least_singular_values(m, beta=1.0, block=block).tolist() == pytest.approx([1.5, 0.5])
    assert minimize_by_blocks(torch.zeros(2, 3), torch.eye(3), beta=1.0).values.tolist() == [0.0, 0.0]


def test_what_does_not_fit_is_refused() -> None:
    x = drawn(3, 5, seed=1)
    dependent = torch.cat([x, x[:1] + x[1:2]])
    with pytest.raises(ValueError, match=r"x must have full row rank: .* 4 x 4 .* leave out the inputs that are"):
        minimize_by_blocks(drawn(2, 5, seed=2), dependent, beta=1.0)
    with pytest.raises(ValueError, match="x must have full row rank"):
        minimize_by_blocks(drawn(2, 5, seed=2), torch.zeros(3, 5), beta=1.0)
    with pytest.raises(ValueError, match=r"y and x must have shapes \(b, N\) and \(a, N\), got \(2, 4\), \(3, 5\)"):
        minimize_by_blocks(drawn(2, 4, seed=2), x, beta=1.0)
    with pytest.raises(ValueError, match=r"beta must be finite and above 0, got 0"):
        minimize_by_blocks(drawn(2, 5, seed=2), x, beta=0.0)
    with pytest.raises(ValueError, match=r"width must be at least the rank 3 of the product, got 2"):
        balanced(target([1.0, 1.0, 1.0]), 2, torch.eye(3))
