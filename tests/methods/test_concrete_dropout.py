"""Concrete dropout: how far its smooth mask is from dropout's, its two terms, and where they move the rate."""

import math

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.methods.concrete_dropout import ConcreteDropoutLinear, smooth_factors
from pernodedrop.objectives import Step
from tests.layers.evidence import assert_covariance, assert_mean
from tests.methods.laws import assert_formula, draws_of, seeded


def concrete(p: float = 0.3, temperature: float = 0.1) -> ConcreteDropoutLinear:
    torch.manual_seed(0)
    return ConcreteDropoutLinear(6, 3, drop_rate=p, temperature=temperature, generator=seeded(), dtype=torch.float64)


def written(x: Tensor, logit: Tensor, temperature: float, u: Tensor) -> Tensor:
    """x z / (1 - p), z = 1 - sigmoid((logit p + logit u) / T)."""
    p = torch.sigmoid(logit)
    return x * (1 - torch.sigmoid((p.log() - (1 - p).log() + u.log() - (1 - u).log()) / temperature)) / (1 - p)


def moments(p: float, temperature: float) -> tuple[float, float]:
    """The mean and the variance of a factor, beside dropout's p / (1 - p), by the midpoint rule."""
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    factors = written(torch.ones(1), torch.tensor(math.log(p / (1 - p))), temperature, u)
    return factors.mean().item(), factors.var(unbiased=False).item() / (p / (1 - p))


def test_the_smooth_mask_varies_less_than_dropouts() -> None:
    for p in (0.1, 0.3, 0.5):
        mean, ratio = moments(p, 0.1)
        assert (mean, ratio) == (pytest.approx(1.0, abs=0.003), pytest.approx(0.905, abs=0.006))
    assert moments(0.3, 0.01) == (pytest.approx(1.0, abs=1e-4), pytest.approx(0.99, abs=0.001))
    for p, mean, ratio in ((0.05, 0.966, 0.675), (0.1, 0.950, 0.610), (0.5, 1.0, 0.473), (0.7, 1.127, 0.499)):
        assert moments(p, 2 / 3) == (pytest.approx(mean, abs=0.001), pytest.approx(ratio, abs=0.001))


@pytest.mark.parametrize(("p", "temperature"), [(0.3, 0.1), (0.2, 2 / 3)])
def test_the_layer_draws_by_that_law(p: float, temperature: float) -> None:
    layer, x = concrete(p, temperature), torch.randn(6, dtype=torch.float64)
    y, bias, weight = draws_of(layer, x, 100_000), layer.bias.detach(), layer.weight.detach()
    mean, ratio = moments(p, temperature)
    assert_mean(y, mean * (weight @ x) + bias)
    covariance = ratio * p / (1 - p) * (weight * x**2) @ weight.T
    for one, other in ((0, 0), (0, 1), (2, 2)):
        assert_covariance(y[:, one], y[:, other], covariance[one, other])


def test_it_is_the_written_formula() -> None:
    layer = concrete()

    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        u = torch.rand(x.shape, generator=seeded()).double()
        return written(x, layer.logit, 0.1, u) @ weight.T + bias

    assert_formula(layer, formula, torch.randn(5, 6, dtype=torch.float64))


def test_its_terms_are_the_divergence_of_bernoulli_dropout_from_the_prior_over_n() -> None:
    """KL = l^2 (1 - p) / 2 |M|^2 - I H(p), M = W / (1 - p); a squared error counts 2 / tau times a log likelihood."""
    model = nn.Sequential(nn.Linear(6, 3))
    handle = regularize(model, "concrete_dropout", drop_rate=0.3, options={"length_scale": 0.5, "tau": 4.0})
    assert handle.objective is not None
    scaled, keep = model[0].weight.detach() / 0.7, 0.7
    entropy = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    divergence = 0.5**2 * keep / 2 * scaled.square().sum().item() - 6 * entropy
    for samples in (10, 1000):
        step = Step(lambda: torch.tensor(2.0), lambda outputs: 3 * outputs, "squared", samples=samples, done=0.0)
        assert handle.objective(step).item() == pytest.approx(6.0 + 2 / 4.0 * divergence / samples, rel=1e-5)


def test_without_the_entropy_the_rate_falls_to_0_and_with_it_towards_a_half() -> None:
    for p in (0.01, 0.3, 0.7, 0.99):
        layer = concrete(p)
        (falling,) = torch.autograd.grad(layer.regularization(1.0, 0.0), layer.logit)
        assert falling.item() > 0.0
        (rising,) = torch.autograd.grad(layer.regularization(0.0, 1.0), layer.logit)
        assert (rising.item() < 0.0) is (p < 0.5)
        assert layer.drop_rate == pytest.approx(p)
    layer = concrete()
    assert torch.autograd.gradcheck(
        lambda logit, weight: torch.func.functional_call(
            _Terms(layer), {"layer.logit": logit, "layer.weight": weight}, ()
        ),
        (layer.logit.detach().requires_grad_(), layer.weight.detach().requires_grad_()),
    )


class _Terms(nn.Module):
    def __init__(self, layer: ConcreteDropoutLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return self.layer.regularization(0.2, 0.7)


def test_a_drawn_0_keeps_the_input() -> None:
    logit = torch.zeros(1, requires_grad=True)
    factors = smooth_factors(logit, torch.tensor([0.0, 1.0 - 2.0**-24]), 0.1)
    assert factors.tolist() == pytest.approx([2.0, 0.0])
    assert bool(torch.autograd.grad(factors.sum(), logit)[0].isfinite())


def test_rates_near_0_and_1_stay_finite() -> None:
    layer = ConcreteDropoutLinear(6, 3)
    for logit in (-80.0, -17.0, 17.0, 80.0):
        layer.logit.data.fill_(logit)
        layer.zero_grad()
        loss = layer.regularization(1e-6, 1.0)
        if logit < 80.0:  # where no input is left, 1 / (1 - p) squared is infinite
            loss = loss + layer(torch.randn(5, 6)).square().mean()
        loss.backward()
        assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in layer.parameters())
