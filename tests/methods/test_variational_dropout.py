"""Both kinds of variational dropout: the law, the divergences, what is learned, and which weights stay."""

import math

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear, SharedNoiseLinear, regularize
from pernodedrop.methods import sparse_variational_dropout as sparse
from pernodedrop.methods import variational_dropout as kingma
from pernodedrop.methods.sparse_variational_dropout import SparseVariationalDropoutLinear
from pernodedrop.methods.variational_dropout import VariationalDropoutLinear
from pernodedrop.objectives import Step
from tests.layers.evidence import assert_covariance, assert_mean
from tests.methods.laws import assert_formula, draws_of, exact_divergence, seeded


def varied(per: str = "layer", p: float = 0.3) -> VariationalDropoutLinear:
    torch.manual_seed(0)
    layer = VariationalDropoutLinear(6, 3, drop_rate=p, alpha_per=per, generator=seeded(), dtype=torch.float64)
    if per != "layer":
        layer.log_alpha.data -= torch.rand_like(layer.log_alpha)
    return layer


def thinned(**settings: float) -> SparseVariationalDropoutLinear:
    torch.manual_seed(0)
    layer = SparseVariationalDropoutLinear(6, 3, generator=seeded(), dtype=torch.float64, **settings)
    layer.log_variance.data += 6.0 + torch.rand_like(layer.log_variance)
    return layer


def at(samples: int, done: float) -> Step:
    return Step(lambda: torch.tensor(2.0), lambda outputs: 3.0 * outputs, "softmax", samples=samples, done=done)


@pytest.mark.parametrize("layer", [varied(), varied("unit"), varied("weight"), thinned()], ids=lambda layer: layer.own)
def test_pre_activations_are_gaussian_of_variance_alpha_v_and_independent(layer: nn.Linear) -> None:
    x = torch.randn(6, dtype=torch.float64)
    y, mean = draws_of(layer, x, 100_000), nn.functional.linear(x, layer.weight, layer.bias).detach()
    alpha = layer.log_alpha_of(layer.weight).exp().detach()
    variance = (alpha * layer.weight.detach() ** 2) @ x**2
    assert_mean(y, mean)
    z = (y - mean) / variance.sqrt()
    assert_mean(z.square(), 1.0)
    assert_mean(z**4, 3.0)
    assert_covariance(z[:, 0], z[:, 1], 0.0)


def test_at_a_fixed_alpha_it_is_pernodedrop_with_gaussian_noise() -> None:
    layer, x = varied(), torch.randn(5, 6, dtype=torch.float64)
    other = PerNodeDropLinear(
        6, 3, drop_rate=0.3, stir_type="gaussian", backend="reparameterized", generator=seeded(), dtype=torch.float64
    )
    other.load_state_dict({"weight": layer.weight.detach(), "bias": layer.bias.detach()})
    torch.testing.assert_close(layer(x), other(x))


@pytest.mark.parametrize("per", ["layer", "unit", "weight"])
def test_it_is_the_written_formula(per: str) -> None:
    layer = varied(per)

    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        noise = torch.randn(len(x), 3, generator=seeded(), dtype=torch.float64)
        square = (x**2) @ (layer.log_alpha.exp() * weight**2).T
        return x @ weight.T + bias + noise * square.sqrt()

    assert_formula(layer, formula, torch.randn(5, 6, dtype=torch.float64))


def test_the_sparse_kind_is_the_written_formula_whose_noise_does_not_know_the_weight() -> None:
    layer = thinned()

    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        noise = torch.randn(len(x), 3, generator=seeded(), dtype=torch.float64)
        return x @ weight.T + bias + noise * ((x**2) @ layer.log_variance.exp().T).sqrt()

    assert bool((layer.log_alpha_of(layer.weight).abs() < sparse.MOST).all())
    assert_formula(layer, formula, torch.randn(5, 6, dtype=torch.float64))


def test_the_fits_of_the_divergence_are_as_close_as_they_are_said_to_be() -> None:
    log_alpha = torch.linspace(-8.0, 8.0, 161, dtype=torch.float64)
    exact = exact_divergence(log_alpha)
    found = sparse.divergence(log_alpha)
    assert float((found - exact).abs().max()) == pytest.approx(0.009, abs=0.001)
    below = log_alpha <= 0.0
    fit = kingma.divergence(log_alpha[below])
    off = (fit - (exact - exact_divergence(torch.zeros(1)))[below]).abs()
    assert float(off[log_alpha[below] > -2.2].max()) < 0.006
    assert float(off.max()) == pytest.approx(0.037, abs=0.001)
    assert fit[-1].item() == pytest.approx(0.0, abs=1e-12)
    assert bool((fit.diff() < 0).all())  # it falls in alpha, so the noise is not driven out
    assert bool((found.diff() < 0).all())
    for divergence in (kingma.divergence, sparse.divergence):
        point = torch.tensor([-7.0, -2.0, -0.1], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(divergence, point)
    far = torch.tensor([-200.0, 200.0])
    assert sparse.divergence(far).tolist() == pytest.approx([100.0 + 0.63576, 0.0], abs=1e-4)


@pytest.mark.parametrize("per", ["layer", "unit", "weight"])
def test_the_objective_adds_the_divergence_of_every_weight_over_n(per: str) -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 2))
    handle = regularize(model, "variational_dropout", drop_rate=0.3, options={"alpha_per": per})
    assert handle.objective is not None
    one = kingma.divergence(torch.tensor(math.log(0.3 / 0.7))).item()
    for samples in (1, 50):
        found = handle.objective(at(samples, 0.0)).item()
        assert found == pytest.approx(6.0 + (18 + 6) * one / samples, rel=1e-5)


def test_the_sparse_kind_adds_its_divergence_slowly() -> None:
    model = nn.Sequential(nn.Linear(6, 3))
    handle = regularize(model, "sparse_variational_dropout", options={"kl_warmup": 0.5})
    assert handle.objective is not None
    whole = sparse.divergence(model[0].log_alpha_of(model[0].weight)).sum().item()
    for done, weight in ((0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.9, 1.0)):
        assert handle.objective(at(10, done)).item() == pytest.approx(6.0 + weight * whole / 10, rel=1e-5)
    at_once = regularize(nn.Sequential(nn.Linear(2, 2)), "sparse_variational_dropout", options={"kl_warmup": 0.0})
    assert at_once.objective is not None
    assert at_once.objective(at(10, 0.0)).item() > 6.0


def test_alpha_is_at_most_1_and_finds_its_way_back() -> None:
    layer = varied(p=0.5)  # alpha 1
    for start in (0.0, 0.7, -0.7):
        layer.log_alpha.data.fill_(start)
        alpha = layer.log_alpha_of(layer.weight).exp()
        assert alpha.item() == pytest.approx(math.exp(-abs(start)))
        layer.zero_grad()
        alpha.sum().backward()
        assert layer.log_alpha.grad.item() == pytest.approx(alpha.item() if start <= 0 else -alpha.item())
    optimizer = torch.optim.SGD([layer.log_alpha], lr=0.1)
    layer.log_alpha.data.zero_()
    for _ in range(200):  # the divergence against a loss that grows by 2 alpha: the best alpha lies within
        optimizer.zero_grad()
        (kingma.divergence(layer.log_alpha_of(layer.weight)) + 2.0 * layer.log_alpha_of(layer.weight).exp()).backward()
        optimizer.step()
    best = torch.linspace(-3, 0, 3001)
    expected = best[(kingma.divergence(best) + 2.0 * best.exp()).argmin()].exp().item()
    assert layer.log_alpha_of(layer.weight).exp().item() == pytest.approx(expected, abs=1e-3)
    assert layer.drop_rate == pytest.approx(expected / (1 + expected), abs=1e-3)


def test_weights_that_the_noise_drowns_are_0_in_evaluation_and_in_the_merged_model() -> None:
    model, x = nn.Sequential(nn.Linear(6, 3)), torch.randn(5, 6)
    handle = regularize(model, "sparse_variational_dropout")
    layer = model[0]
    layer.weight.data[0] = torch.tensor([0.0, 1e-3, -1e-3, 0.1, 1.0, 1e-30])
    layer.log_variance.data[0] = torch.tensor([-10.0, -10.0, -10.9, -10.0, 3.1, -30.0])
    kept = layer.kept(layer.weight)[0].tolist()
    assert kept == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    y = model.eval()(x)
    torch.testing.assert_close(y[:, 0], x @ (layer.weight[0] * torch.tensor(kept)) + layer.bias[0])
    handle.merge()
    torch.testing.assert_close(model(x), y)
    assert (model[0].weight[0] == 0).tolist() == [not each for each in kept]


def test_inputs_that_say_nothing_drown_in_noise() -> None:
    torch.manual_seed(0)
    x = torch.randn(300, 8)
    y = (2.0 * x[:, 0] - x[:, 1] + 0.3 * torch.randn(300)).unsqueeze(1)
    model = nn.Sequential(nn.Linear(8, 1))
    handle = regularize(model, "sparse_variational_dropout", options={"initial_log_variance": -4.0})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    objective = handle.objective
    assert objective is not None
    for step in range(400):
        found = Step(
            lambda: model(x), lambda outputs: (outputs - y).square().mean() / (2 * 0.3**2), "squared", 300, step / 400
        )
        optimizer.zero_grad()
        objective(found).backward()
        optimizer.step()
    log_alpha = model[0].log_alpha_of(model[0].weight)[0].detach()
    assert log_alpha[2:].min() > log_alpha[:2].max() + 5.0
    assert bool((log_alpha[2:] > sparse.PRUNED).any())
    torch.testing.assert_close(model[0].weight[0, :2].detach(), torch.tensor([2.0, -1.0]), rtol=0.0, atol=0.1)


def test_a_weight_of_0_has_finite_gradients() -> None:
    layer = SparseVariationalDropoutLinear(6, 3)
    layer.weight.data[0].zero_()
    (layer(torch.randn(5, 6)).square().mean() + layer.divergence()).backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in layer.parameters())
    layer.log_variance.data.fill_(40.0)
    assert bool((layer.log_alpha_of(layer.weight) == sparse.MOST).all())  # cut, so that the noise stays finite


def test_where_positions_share_the_noise_their_covariance_is_that_of_shared_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(SharedNoiseLinear(4, 2).double())
    regularize(model, "variational_dropout", SharedNoiseLinear, drop_rate=0.3, generator=seeded())
    x = torch.randn(3, 4, dtype=torch.float64)
    with torch.no_grad():
        y = model(x.expand(50_000, 3, 4))
    assert_mean(y, nn.functional.linear(x, model[0].weight, model[0].bias).detach())
    squares = model[0].weight.detach()[1] ** 2
    for one, other in ((0, 0), (0, 2), (1, 2)):
        assert_covariance(y[:, one, 1], y[:, other, 1], 0.3 / 0.7 * (x[one] * x[other] * squares).sum())
    assert_covariance(y[:, 0, 0], y[:, 0, 1], 0.0)
