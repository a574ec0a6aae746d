"""Sequences: one mask a sample shared by its positions, or one for each."""

import pytest
import torch

from pernodedrop.functional import pernode_linear
from tests.layers.evidence import assert_covariance, assert_mean

RATE = 0.5
SHARING = ["mask", "kernel", "flipout"]


@pytest.mark.parametrize("backend", SHARING)
def test_positions_share_their_mask(backend: str) -> None:
    x = torch.randn(3, 1, 40).expand(3, 5, 40)
    weight = torch.randn(7, 40)
    y = pernode_linear(x, weight, None, RATE, backend=backend)
    torch.testing.assert_close(y, y[:, :1].expand_as(y))
    assert not torch.allclose(y[0], y[1])
    fresh = pernode_linear(x, weight, None, RATE, backend=backend, share_time=False)
    assert not torch.allclose(fresh[:, 0], fresh[:, 1])


@pytest.mark.parametrize("backend", SHARING)
@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian"])
def test_covariance_across_positions(backend: str, stir_type: str) -> None:
    """s^2 sum_i x_ti x_t'i W_ji^2."""
    count = 3000 if backend == "flipout" else 20_000
    x = torch.randn(1, 2, 6, dtype=torch.float64)
    weight = torch.randn(2, 6, dtype=torch.float64)
    settings = {"stir_type": stir_type, "backend": backend}
    if backend == "flipout":
        y = torch.cat([pernode_linear(x, weight, None, RATE, **settings) for _ in range(count)])
    else:
        y = pernode_linear(x.expand(count, 2, 6), weight, None, RATE, **settings)
    assert_mean(y, x[0] @ weight.T)
    assert_covariance(y[:, 0], y[:, 1], (x[0, 0] * x[0, 1]) @ (weight**2).T)
    assert_covariance(y[:, 0, 0], y[:, 1, 1], 0.0)


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian"])
def test_kernel_gradients_over_positions(stir_type: str) -> None:
    """They are those of one masked product per sample, with the masks that unit inputs reveal."""
    samples, positions, connections, units = 2, 3, 40, 9
    x = torch.randn(samples, positions, connections, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(units, connections, dtype=torch.float64, requires_grad=True)
    g = torch.randn(samples, positions, units, dtype=torch.float64)

    def run(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(8)
        return pernode_linear(inputs, weights, None, RATE, stir_type=stir_type, backend="kernel", generator=generator)

    eye = torch.eye(connections, dtype=torch.float64).expand(samples, -1, -1)
    masks = run(eye, torch.ones_like(weight)).transpose(1, 2).detach()  # B, J, I
    run(x, weight).backward(g)
    torch.testing.assert_close(x.grad, torch.einsum("btj,bji,ji->bti", g, masks, weight))
    torch.testing.assert_close(weight.grad, torch.einsum("btj,bji,bti->ji", g, masks, x))
