"""Shakeout: mean, variance and covariance of its law, and what c does."""

import torch
from torch import Tensor, nn

from pernodedrop.methods.shakeout import ShakeoutLinear
from tests.layers.evidence import assert_covariance, assert_mean
from tests.methods.laws import assert_formula, draws_of, seeded


def shaken(c: float, p: float = 0.4) -> ShakeoutLinear:
    torch.manual_seed(0)
    return ShakeoutLinear(6, 3, drop_rate=p, c=c, generator=seeded(), dtype=torch.float64)


def test_its_mean_is_dense_and_its_noise_is_that_of_weights_moved_by_c() -> None:
    layer, x = shaken(0.3), torch.randn(6, dtype=torch.float64)
    y, dense = draws_of(layer, x, 200_000), nn.functional.linear(x, layer.weight, layer.bias).detach()
    assert_mean(y, dense)
    moved = layer.weight.detach() + 0.3 * layer.weight.detach().sign()
    covariance = 0.4 / 0.6 * (moved * x**2) @ moved.T
    variance = 0.4 / 0.6 * (x**2) @ (layer.weight.detach().abs() + 0.3).square().T
    torch.testing.assert_close(covariance.diagonal(), variance)
    for one in range(3):
        for other in range(3):
            assert_covariance(y[:, one], y[:, other], covariance[one, other])


def test_it_is_the_written_formula_and_the_sign_has_no_derivative() -> None:
    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        r = (torch.rand(x.shape, generator=seeded()) >= 0.4) / 0.6
        units = [(x * (r * row + 0.3 * (r - 1) * row.sign().detach())).sum(-1) for row in weight]
        return torch.stack(units, -1) + bias

    assert_formula(shaken(0.3), formula, torch.randn(5, 6, dtype=torch.float64))


def test_a_weight_near_0_is_as_noisy_as_c_and_c_0_is_dropout() -> None:
    layer, x = shaken(0.3), torch.ones(6, dtype=torch.float64)
    layer.weight.data.fill_(1e-12)
    assert_mean((draws_of(layer, x, 50_000) - layer.bias).square().detach(), 0.4 / 0.6 * 6 * 0.3**2)
    layer.weight.data.zero_()
    assert torch.equal(draws_of(layer, x, 10), layer.bias.detach().expand(10, 3))
    plain, x = shaken(0.0), torch.randn(5, 6, dtype=torch.float64)
    mask = (torch.rand(5, 6, generator=seeded()) >= 0.4).double() / 0.6
    assert torch.equal(plain(x), nn.functional.linear(x * mask, plain.weight, plain.bias))
