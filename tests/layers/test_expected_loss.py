"""The explicit penalty, equations (7) to (11): against simulation, against enumeration, against its estimate."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear
from pernodedrop.expected_loss import explicit_penalty
from pernodedrop.functional import dropconnect_linear, gaussian_dropout, pernode_linear
from tests.layers.evidence import assert_mean

B, I, J = 4, 5, 3  # noqa: E741


def batch() -> tuple[Tensor, nn.Linear]:
    return torch.randn(B, I, dtype=torch.float64), nn.Linear(I, J).double()


def test_quadratic_loss_is_met_exactly() -> None:
    """A quadratic loss has no higher order: the penalty is the expected increase, up to Monte-Carlo error."""
    x, layer = batch()
    curvature = torch.randn(J, J, dtype=torch.float64)
    target = torch.randn(B, J, dtype=torch.float64)

    def losses(y: Tensor) -> Tensor:
        return ((y - target) @ curvature).square().sum(-1).mean(-1)

    rate = 0.4
    draws = {
        "pernodedrop": lambda: pernode_linear(x, layer.weight, layer.bias, rate, backend="mask"),
        "dropconnect": lambda: dropconnect_linear(x, layer.weight, layer.bias, rate),
        "dropout": lambda: layer(nn.functional.dropout(x, rate)),
        "gaussian_dropout": lambda: layer(gaussian_dropout(x, rate)),
    }
    for regularizer, draw in draws.items():
        with torch.no_grad():
            simulated = losses(torch.stack([draw() for _ in range(4000)]))
            increase = simulated - losses(layer(x))
        penalty = explicit_penalty(
            layer, x, losses, layers=[layer], regularizer=regularizer, variance=rate / (1 - rate)
        )
        assert_mean(increase, penalty.detach())


@pytest.mark.parametrize("regularizer", ["pernodedrop", "gaussian_dropout"])
def test_error_is_of_fourth_order(regularizer: str) -> None:
    """With antithetic Gaussian noise the odd orders cancel: error / s^4 stays bounded as s falls."""
    x, layer = batch()
    target = torch.tensor([0, 1, 2, 1])

    def loss(y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(y, target)

    shape = (20_000, B, J, I) if regularizer == "pernodedrop" else (20_000, B, 1, I)
    noise = torch.randn(shape, dtype=torch.float64)
    settings = {"layers": [layer], "regularizer": regularizer}
    ratios = []
    for s in (0.4, 0.2, 0.1):
        total = 0.0
        for sign in (1.0, -1.0):
            stirred = (1 + sign * s * noise) * layer.weight
            y = torch.einsum("nbji,bi->nbj", stirred, x) + layer.bias
            picked = torch.log_softmax(y, -1).gather(-1, target.expand(y.shape[:2]).unsqueeze(-1))
            total += float(-picked.mean().detach()) / 2
        penalty = float(explicit_penalty(layer, x, loss, variance=s**2, **settings).detach())
        # the sampled second moment of the noise stands in for its exact one
        ratios.append((total - float(loss(layer(x)).detach()) - penalty) / s**4)
    assert max(map(abs, ratios)) < 3.0
    assert abs(ratios[0]) * 0.4**4 < 0.5 * penalty * 16  # well below the penalty itself at s = .4


@pytest.mark.parametrize("regularizer", ["pernodedrop", "dropout"])
def test_logistic_regression_by_enumeration(regularizer: str) -> None:
    """Wager et al.: 1/2 s^2 sum_i W_i^2 [X^T V X]_ii, V = diag(pi (1 - pi)); the truth by all 2^I masks."""
    x, layer = torch.randn(B, I, dtype=torch.float64), nn.Linear(I, 1).double()
    target = torch.tensor([[0.0], [1.0], [1.0], [0.0]], dtype=torch.float64)

    def loss(y: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(y, target)

    rate = 0.4
    variance = rate / (1 - rate)
    errors = []
    for _ in range(2):
        pi = torch.sigmoid(layer(x))
        wager = 0.5 * (layer.weight[0] ** 2 * (x**2 * pi * (1 - pi)).sum(0)).sum() / B
        penalty = explicit_penalty(layer, x, loss, layers=[layer], regularizer=regularizer, variance=variance)
        torch.testing.assert_close(penalty, variance * wager)
        expected = 0.0
        for kept in itertools.product((0.0, 1.0), repeat=I):
            mask = torch.tensor(kept, dtype=torch.float64)
            chance = math.prod(1 - rate if one else rate for one in kept)
            expected += chance * float(loss(layer(x * mask / (1 - rate))).detach())
        truth = expected - float(loss(layer(x)).detach())
        errors.append(abs(truth / float(penalty.detach()) - 1))
        layer.weight.data *= 0.1  # the neglected orders shrink by at least as much
    assert errors[0] < 0.2
    assert errors[1] < 0.2 * errors[0]


def test_a_small_rate_is_no_small_noise() -> None:
    """By enumeration: removing an input counts in every order, so that the ratio of increase and penalty is not 1."""
    x, layer = 2 * torch.randn(1, 3, dtype=torch.float64), nn.Linear(3, 1).double()
    ratios = []
    for rate in (1e-2, 1e-4):
        penalty = explicit_penalty(
            layer,
            x,
            lambda y: nn.functional.softplus(y).mean(),
            layers=[layer],
            regularizer="dropout",
            variance=rate / (1 - rate),
        )
        increase = -nn.functional.softplus(layer(x)).sum()
        for kept in itertools.product((0.0, 1.0), repeat=3):
            chance = math.prod(1 - rate if one else rate for one in kept)
            mask = torch.tensor(kept, dtype=torch.float64) / (1 - rate)
            increase = increase + chance * nn.functional.softplus(layer(x * mask)).sum()
        ratios.append(float((increase / penalty).detach()))
    assert abs(ratios[1] - 1) > 0.02
    assert ratios[0] == pytest.approx(ratios[1], abs=0.02)


@pytest.mark.parametrize("regularizer", ["pernodedrop", "dropout"])
def test_hutchinson_is_unbiased_on_a_small_net(regularizer: str) -> None:
    x = torch.randn(B, I, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(I, J), nn.Tanh(), nn.Linear(J, 2)).double()
    target = torch.tensor([0, 1, 1, 0])

    def loss(y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(y, target)

    settings = {"layers": [net[0], net[2]], "regularizer": regularizer, "variance": 0.5}
    exact = explicit_penalty(net, x, loss, **settings)
    single = explicit_penalty(net, x, loss, layers=[net[0]], regularizer=regularizer, variance=0.5)
    other = explicit_penalty(net, x, loss, layers=[net[2]], regularizer=regularizer, variance=0.5)
    torch.testing.assert_close(exact, single + other)
    estimates = torch.stack(
        [explicit_penalty(net, x, loss, **settings, method="hutchinson").detach() for _ in range(2000)]
    )
    assert_mean(estimates, exact.detach())
    generator = torch.Generator().manual_seed(1)
    averaged = explicit_penalty(net, x, loss, **settings, method="hutchinson", samples=4, generator=generator)
    assert averaged.shape == ()


def test_penalty_can_be_minimized() -> None:
    x, layer = batch()
    settings = {"layers": [layer], "regularizer": "pernodedrop", "variance": 0.5, "create_graph": True}

    def penalty(weight: Tensor) -> Tensor:
        layer.weight = nn.Parameter(weight)
        return explicit_penalty(layer, x, lambda y: y.exp().mean(), **settings)

    value = penalty(layer.weight.detach())
    (gradient,) = torch.autograd.grad(value, layer.weight)
    weight, step = layer.weight.detach(), 1e-6
    nudged = penalty(weight + step * gradient).detach()
    torch.testing.assert_close(nudged - value.detach(), step * gradient.square().sum(), rtol=1e-3, atol=0.0)


def test_linear_loss_has_no_penalty() -> None:
    x, layer = batch()
    penalty = explicit_penalty(layer, x, Tensor.mean, layers=[layer], regularizer="dropout", variance=0.5)
    assert float(penalty.detach()) == 0.0


def test_what_has_no_penalty_is_refused() -> None:
    x, layer = batch()
    with pytest.raises(ValueError, match=r"covers dropout, gaussian_dropout, dropconnect, pernodedrop, got 'none'"):
        explicit_penalty(layer, x, Tensor.mean, layers=[layer], regularizer="none", variance=0.5)
    with pytest.raises(ValueError, match=r"must see one \(B, I\) matrix once, got \(2, 4, 5\)"):
        explicit_penalty(layer, x.expand(2, -1, -1), Tensor.mean, layers=[layer], regularizer="dropout", variance=0.5)
    with pytest.raises(ValueError, match="1 saw none"):
        stranger = nn.Linear(2, 2).double()
        explicit_penalty(layer, x, Tensor.mean, layers=[layer, stranger], regularizer="dropout", variance=0.5)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"method": "exakt"}, "method must be one of exact, hutchinson, got 'exakt'"),
        ({"method": "hutchinson", "samples": 0}, "samples must be an integer of at least 1, got 0"),
        ({"method": "hutchinson", "samples": 1.5}, "samples must be an integer of at least 1, got 1.5"),
        ({"variance": -1.0}, "variance must be finite and at least 0, got -1.0"),
        ({"variance": math.nan}, "variance must be finite and at least 0, got nan"),
        ({"variance": math.inf}, "variance must be finite and at least 0, got inf"),
        ({"layers": []}, "layers must hold at least one nn.Linear, got none"),
        ({"layers": [nn.Conv2d(1, 1, 1)]}, "layers must be of nn.Linear, got Conv2d at place 0"),
        ({"regularizer": "pernodrop"}, "regularizer must be one of"),
        ({"loss": lambda y: y}, r"loss must return a scalar .*, got \(4, 3\)"),
        ({"loss": lambda y: 1.0}, "loss must return a scalar .*, got float"),
        ({"loss": lambda y: y.detach().sum()}, r"loss must return a scalar .*, got \(\)"),
    ],
)
def test_a_wrong_setting_of_the_penalty_is_refused(settings: dict, message: str) -> None:
    x, layer = batch()
    settings = {"loss": Tensor.mean, "layers": [layer], "regularizer": "dropout", "variance": 0.5} | settings
    with pytest.raises(ValueError, match=message):
        explicit_penalty(layer, x, **settings)


def test_a_layer_is_penalized_once() -> None:
    x, layer = batch()
    with pytest.raises(ValueError, match="layers must name each layer once, got one again at place 1"):
        explicit_penalty(layer, x, Tensor.mean, layers=[layer, layer], regularizer="dropout", variance=0.5)


def test_the_penalty_of_any_call_of_the_layer() -> None:
    class Keyword(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(input=x)

    x, layer = batch()
    settings = {"loss": lambda y: y.exp().mean(), "layers": [layer], "regularizer": "pernodedrop", "variance": 0.5}
    expected = explicit_penalty(layer, x, **settings)
    for model in (
        Keyword(layer),
        torch.compile(layer, backend="aot_eager"),
        nn.Sequential(torch.compile(layer, backend="aot_eager")),
    ):
        torch.testing.assert_close(explicit_penalty(model, x, **settings), expected)
    with torch.no_grad():
        torch.testing.assert_close(explicit_penalty(layer, x, **settings), expected)


def test_the_penalty_of_a_fixed_mask_is_that_of_the_masked_weight() -> None:
    x, plain = batch()
    masked = PerNodeDropLinear(I, J, mask_mode="fixed", stir_type="gaussian").double()
    plain.load_state_dict({"weight": (masked.weight * masked.mask).detach(), "bias": masked.bias.detach()})
    penalties = [
        explicit_penalty(layer, x, lambda y: y.exp().mean(), layers=[layer], regularizer="dropconnect", variance=0.5)
        for layer in (plain, masked)
    ]
    torch.testing.assert_close(*penalties)
