"""NINR: its shared noise, and what it adds to a loss."""

import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.methods.ninr import NinrLinear
from tests.layers.evidence import assert_covariance, assert_mean
from tests.methods.laws import assert_formula, draws_of, seeded


def injected(sigma: float = 0.7) -> NinrLinear:
    torch.manual_seed(0)
    return NinrLinear(6, 3, sigma=sigma, initial_scale=0.9, generator=seeded(), dtype=torch.float64)


def test_units_share_the_noise_and_samples_do_not() -> None:
    layer, x = injected(), torch.randn(6, dtype=torch.float64)
    w = layer.noise_weight.detach()
    y = draws_of(layer, x, 100_000)
    assert_mean(y, nn.functional.linear(x, layer.weight, layer.bias).detach())
    for one in range(3):
        for other in range(3):
            assert_covariance(y[:, one], y[:, other], 0.7**2 * w[one] * w[other])
    assert_covariance(y[0::2, 0], y[1::2, 0], 0.0)


def test_a_loss_grows_by_half_the_variance_times_the_curvature_along_its_weight() -> None:
    layer, x = injected(), torch.randn(6, dtype=torch.float64)
    hessian = torch.randn(3, 3, dtype=torch.float64)
    hessian = hessian @ hessian.T

    def loss(y: Tensor) -> Tensor:
        off = y - 1.0
        return 0.5 * ((off @ hessian) * off).sum(-1)

    w = layer.noise_weight.detach()
    assert_mean(loss(draws_of(layer, x, 200_000)) - loss(layer.eval()(x)).detach(), 0.5 * 0.7**2 * w @ hessian @ w)


def test_it_is_the_written_formula() -> None:
    layer = injected()

    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        noise = torch.randn(len(x), 1, generator=seeded(), dtype=torch.float64)
        return x @ weight.T + bias + 0.7 * noise * layer.noise_weight

    assert_formula(layer, formula, torch.randn(5, 6, dtype=torch.float64))


def test_its_weight_is_drawn_at_its_scale_and_from_the_generator() -> None:
    def drawn(seed: int) -> Tensor:
        model = nn.Sequential(nn.Linear(4, 4000))
        regularize(model, "ninr", options={"initial_scale": 0.2}, generator=torch.Generator().manual_seed(seed))
        return model[0].noise_weight.detach()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert_mean(drawn(1), 0.0)
    assert_mean(drawn(1).square(), 0.04)
