"""One expected loss, several noises of the gradient: what the groups and the backends change, against formulas.

Draws are compared within five standard errors of their own (`evidence`).
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pernodedrop.functional import pernode_linear
from tests.layers.evidence import assert_mean

DRAWS = 4000
B, I, J = 5, 4, 3  # noqa: E741 - the science's own names
DOUBLE = torch.float64


def fixed(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


X, W, T = fixed(B, I, seed=1), fixed(J, I, seed=2), fixed(B, J, seed=3)


def gradients(outputs: Callable[[Tensor, Tensor], Tensor], draws: int = DRAWS) -> Tensor:
    """(draws, J, I): of |y - T|^2 / (2 B) in W. Units do not meet in it, so each draw is a copy of all units."""
    weight = W.repeat(draws, 1).requires_grad_()
    (gradient,) = torch.autograd.grad((outputs(X, weight) - T.repeat(1, draws)).square().sum() / (2 * B), weight)
    return gradient.reshape(draws, J, I)


def assert_trace(found: Tensor, expected: Tensor | float) -> None:
    """The trace of the covariance over the first dimension."""
    one, two = found.flatten(1).chunk(2)
    assert_mean(0.5 * (one - two).square().sum(1), expected)


def layer(backend: str, stir_type: str, rate: float, groups: int | None) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, weight: pernode_linear(
        x, weight, None, rate, stir_type=stir_type, mask_groups=groups, backend=backend
    )


def moments(stir_type: str, rate: float) -> tuple[float, float, float]:
    """E delta^2, delta^3 and delta^4 of delta = m - 1."""
    s2 = rate / (1 - rate)
    return (s2, 0.0, 3 * s2**2) if stir_type == "gaussian" else (s2, s2 * (s2 - 1), s2 * (s2**2 - s2 + 1))


def variance(c: Tensor, a: Tensor, n: Tensor, stir_type: str, rate: float) -> Tensor:
    """Of m (c + sum of delta a' over the connections), n the sum of the a'^2, and m and a those of one of them."""
    s2, third, fourth = moments(stir_type, rate)
    return s2 * (c + a) ** 2 + a**2 * (fourth - s2**2) + 2 * a * (c + a) * third + s2 * (1 + s2) * (n - a**2)


def of_each_sample(stir_type: str, rate: float) -> Tensor:
    e, a = X @ W.T - T, X[:, None] * W  # (B, J), (B, J, I)
    each = variance(e[..., None], a, (a**2).sum(-1, keepdim=True), stir_type, rate)
    return (X[:, None] ** 2 * each).sum() / B**2


def of_the_batch(stir_type: str, rate: float) -> Tensor:
    s, c = X.T @ X / B, (X @ W.T - T).T @ X / B  # (I, I), (J, I)
    n = (W[:, None] ** 2 * s**2).sum(-1)  # J, I
    return variance(c, s.diagonal() * W, n, stir_type, rate).sum()


LAWS = [("bernoulli", 0.2), ("bernoulli", 0.6), ("gaussian", 0.6)]


@pytest.mark.parametrize("stir_type, rate", LAWS)
def test_the_gradient_noise_of_a_linear_layer(stir_type: str, rate: float) -> None:
    for backend in ("mask", "kernel"):
        assert_trace(gradients(layer(backend, stir_type, rate, None)), of_each_sample(stir_type, rate))
        assert_trace(gradients(layer(backend, stir_type, rate, 1)), of_the_batch(stir_type, rate))
    assert of_the_batch(stir_type, rate) > 1.1 * of_each_sample(stir_type, rate)


def test_dropout_has_the_same_trace() -> None:
    weight = W.expand(DRAWS, J, I).clone().requires_grad_()
    y = torch.bmm(nn.functional.dropout(X.expand(DRAWS, B, I), 0.6), weight.transpose(1, 2))
    (found,) = torch.autograd.grad((y - T).square().sum() / (2 * B), weight)
    assert_trace(found, of_each_sample("bernoulli", 0.6))


def test_the_backends_differ_from_the_masks_by_what_is_predicted() -> None:
    rate, s2 = 0.5, 1.0
    e, a = X @ W.T - T, X[:, None] * W
    v = (a**2).sum(-1, keepdim=True)
    squares = X[:, None] ** 2
    less = (squares * (s2 * e[..., None] ** 2 * (1 - a**2 / v) + s2**2 * (v - a**2))).sum() / B**2
    crossed = torch.einsum("bi,ci,ji->bc", X**2, X**2, W**2)
    more = 2 * s2**2 * (crossed.sum() - crossed.diagonal().sum()) / B**2
    full = of_each_sample("gaussian", rate)
    assert_trace(gradients(layer("reparameterized", "gaussian", rate, None)), full - less)
    flipout = layer("flipout", "gaussian", rate, None)
    calls = torch.stack([gradients(flipout, 10) for _ in range(800)])  # the copies of one call share signs
    one, two = calls.chunk(2)
    traces = 0.5 * (one - two).square().sum((2, 3)).mean(1)
    assert_mean(traces, full + more)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_mean(traces, full)
    assert less > 0.2 * full
