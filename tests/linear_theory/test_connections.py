"""PerNodeDrop's masks of the connections: the convex problem and the factors that a descent finds."""

import pytest
import torch
from torch import Tensor

from pernodedrop.linear_theory import (
    NotConverged,
    balanced,
    connection_matrix,
    connection_penalty,
    imbalance,
    minimize_by_blocks,
    minimize_by_connections,
)
from tests.linear_theory.problems import descended, drawn

# Five outputs of six correlated inputs, twelve samples: the two ways must agree to eight digits.
X = drawn(6, 6, seed=11) @ drawn(6, 12, seed=12) / 2
Y = drawn(5, 6, seed=13) @ X / 3 + 0.3 * drawn(5, 12, seed=14)


def value(u: Tensor, v: Tensor, first: float, second: float) -> float:
    return float((Y - u @ v.T @ X).square().sum() + connection_penalty(u, v, X, first=first, second=second))


@pytest.mark.parametrize(("first", "second", "width"), [(0.5, 0.0, 5), (0.5, 0.5, 12), (0.0, 0.5, 5)])
def test_the_convex_problem_is_what_the_factors_solve(first: float, second: float, width: int) -> None:
    found = minimize_by_connections(Y, X, width=width, first=first, second=second)
    assert found.gap <= 1e-12
    u, v = descended(Y, X, width, lambda u, v: connection_penalty(u, v, X, first=first, second=second))
    assert value(u, v, first, second) == pytest.approx(found.objective, rel=1e-8)
    m = connection_matrix(X, first=first, second=second)
    values, vectors = torch.linalg.eigh(m)
    root = (vectors * values.sqrt()) @ vectors.T
    assert float(imbalance(u, v, root)) < 1e-3
    nuclear = float(torch.linalg.svdvals(found.product @ root).sum())
    loss = float((Y - found.product @ X).square().sum())
    assert found.objective == pytest.approx(loss + nuclear**2 / width, rel=1e-12)
    assert float(found.values.sum()) == pytest.approx(nuclear)
    u, v = balanced(found.product, width, m)
    assert value(u, v, first, second) == pytest.approx(found.objective, rel=1e-10)
    assert float(imbalance(u, v, root)) < 1e-10


def test_on_the_second_layer_alone_it_is_dropout_of_the_hidden_units() -> None:
    by_blocks = minimize_by_blocks(Y, X, beta=0.5 / 5)
    found = minimize_by_connections(Y, X, width=5, first=0.0, second=0.5)
    assert found.objective == pytest.approx(by_blocks.objective, rel=1e-11)
    torch.testing.assert_close(found.product, by_blocks.product, atol=1e-5, rtol=0.0)


def test_on_the_first_layer_it_is_dropout_for_whitened_inputs_alone() -> None:
    white = torch.linalg.qr(drawn(12, 6, seed=3)).Q.T
    y = drawn(5, 6, seed=13) @ white
    found = minimize_by_connections(y, white, width=6, first=0.5, second=0.0)
    assert found.objective == pytest.approx(minimize_by_blocks(y, white, beta=0.5 / 6).objective, rel=1e-11)
    correlated = minimize_by_connections(Y, X, width=6, first=0.5, second=0.0)
    assert float((correlated.product - minimize_by_blocks(Y, X, beta=0.5 / 6).product).abs().max()) > 0.1


def test_dependent_inputs_are_no_obstacle_to_masks_of_the_first_layer() -> None:
    x = torch.cat([X[:2], X[:2]])
    assert minimize_by_connections(Y, x, width=5, first=0.5, second=0.0, tolerance=1e-6).gap <= 1e-6
    with pytest.raises(ValueError, match="x must have full row rank"):
        minimize_by_connections(Y, x, width=5, first=0.0, second=0.5)


def test_what_does_not_come_to_an_end_says_so() -> None:
    with pytest.raises(
        NotConverged, match=r"the duality gap is \S+ of \|Y\|\^2 after 20 steps, more than 1e-12: allow"
    ):
        minimize_by_connections(Y, X, width=5, first=0.5, second=0.0, steps=20)
    with pytest.raises(ValueError, match=r"width must be at least the rank \d of the minimizer, got 1"):
        minimize_by_connections(Y, X, width=1, first=1e-3, second=0.0)
    with pytest.raises(ValueError, match="tolerance must be finite and above 0, got 0"):
        minimize_by_connections(Y, X, width=5, first=0.5, second=0.0, tolerance=0.0)
