"""The formulas in place of noise: against traces, enumerated labels and masks, and the noise itself in small steps."""

import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import SharedNoiseLinear, regularize
from pernodedrop.expected_loss import explicit_penalty
from pernodedrop.methods import curvature, effects
from pernodedrop.methods.observed import Call, observing
from pernodedrop.objectives import Outputs
from tests.layers.evidence import assert_mean

RATE = 0.3
S2 = RATE / (1 - RATE)
OUTPUTS: tuple[Outputs, ...] = ("softmax", "sigmoid", "squared")
MEAN_LOSSES: dict[Outputs, Callable[[Tensor], Tensor]] = {
    "softmax": lambda z: nn.functional.cross_entropy(z, torch.arange(len(z)) % z.shape[1]),
    "sigmoid": lambda z: nn.functional.binary_cross_entropy_with_logits(z, torch.ones_like(z)),
    "squared": lambda z: nn.functional.mse_loss(z, torch.zeros_like(z)),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(11)


def net(activation: nn.Module, *sizes: int) -> nn.Sequential:
    first, hidden, last = sizes
    model = nn.Sequential(nn.Linear(first, hidden), activation, nn.Linear(hidden, last)).double()
    return model.requires_grad_()


def seen(model: nn.Module, noise: str, x: Tensor, *, rate: float = RATE, **more: object) -> tuple[Tensor, list[Call]]:
    """Outputs and calls of one pass of a model that stands for this noise."""
    handle = regularize(model, "explicit", drop_rate=rate, options={"noise": noise}, **more)  # type: ignore[arg-type]
    with observing(handle.layers.values()) as calls:
        z = model(x)
    handle.undo()
    return z, calls


def labels_and_chances(z: Tensor, outputs: Outputs) -> Iterator[tuple[Tensor, Tensor]]:
    """All labels that outputs (B, C) may draw, with their chances; of the squared error two points a number.

    The two points have the normal law's mean and variance, and R needs no more of it.
    """
    z = z.detach()
    if outputs == "softmax":
        for classes in itertools.product(range(z.shape[1]), repeat=len(z)):
            labels = torch.tensor(classes)
            yield labels, z.softmax(-1).gather(1, labels[:, None]).prod()
        return
    for bits in itertools.product((0.0, 1.0), repeat=z.numel()):
        labels = torch.tensor(bits, dtype=z.dtype).reshape(z.shape)
        if outputs == "sigmoid":
            yield labels, torch.where(labels > 0, z.sigmoid(), 1 - z.sigmoid()).prod()
        else:
            yield z + (2 * labels - 1) * 0.5**0.5, torch.tensor(0.5, dtype=z.dtype) ** z.numel()


def over_all_labels(z: Tensor, calls: list[Call], outputs: Outputs) -> Tensor:
    found = [
        chance * effects.explicit_by_labels(z, calls, labels, outputs)
        for labels, chance in labels_and_chances(z, outputs)
    ]
    return torch.stack(found).sum()


def trace(model: nn.Sequential, noise: str, x: Tensor, outputs: Outputs, *, constant: bool = True) -> Tensor:
    """1/2 s^2 tr(J^T H J C) of both layers by Jacobians of shifts, H of the mean loss; `constant` detaches H."""
    first, activation, last = model
    z = model(x)
    held = z.detach() if constant else z
    if outputs == "softmax":
        pi = held.softmax(-1)
        hessian = torch.diag_embed(pi) - pi[:, :, None] * pi[:, None, :]
    elif outputs == "sigmoid":
        hessian = torch.diag_embed(held.sigmoid() * (1 - held.sigmoid()))
    else:
        hessian = 2 * torch.eye(z.shape[1], dtype=z.dtype).expand(len(z), -1, -1)
    total = z.new_zeros(())
    h = activation(first(x))
    for layer, inputs, tail in ((first, x, lambda y: last(activation(y))), (last, h, lambda y: y)):
        for b in range(len(z)):
            y = layer(inputs[b])
            jacobian = torch.autograd.functional.jacobian(tail, y, create_graph=True)  # C, J
            curved = jacobian.T @ hessian[b] @ jacobian
            if noise == "dropout":
                covariance = layer.weight * inputs[b].square() @ layer.weight.T
            else:
                covariance = torch.diag(layer.weight.square() @ inputs[b].square())
            total = total + (curved * covariance).sum()
    return 0.5 * S2 * total / curvature.terms(z, outputs)


@pytest.mark.parametrize("noise", ["dropout", "pernodedrop"])
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_the_mean_over_all_labels_is_the_trace_and_so_is_its_gradient(noise: str, outputs: Outputs) -> None:
    model, x = net(nn.Tanh(), 4, 3, 3), torch.randn(2, 4, dtype=torch.float64)
    model[2].weight.data *= 3.0
    weights = list(model.parameters())
    estimated = over_all_labels(*seen(model, noise, x), outputs)
    exact = trace(model, noise, x, outputs)
    torch.testing.assert_close(estimated, exact, rtol=1e-12, atol=0.0)
    found, expected, other = (
        torch.cat(
            [each.flatten() for each in torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)]
        )
        for value in (estimated, exact, trace(model, noise, x, outputs, constant=False))
    )
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-15)
    assert outputs == "squared" or (other - expected).norm() > 0.1 * expected.norm()


@pytest.mark.parametrize("noise", ["dropout", "pernodedrop", "dropconnect"])
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_on_a_relu_net_it_is_the_explicit_penalty_of_the_mean_loss(noise: str, outputs: Outputs) -> None:
    """Its Hessian leaves the kinks out, and all else of it is the Gauss-Newton part."""
    model, x = net(nn.ReLU(inplace=True), 4, 3, 3), torch.randn(2, 4, dtype=torch.float64)
    layers = [model[0], model[2]]
    penalty = explicit_penalty(model, x, MEAN_LOSSES[outputs], layers=layers, regularizer=noise, variance=S2)
    torch.testing.assert_close(over_all_labels(*seen(model, noise, x), outputs), penalty, rtol=1e-12, atol=0.0)


def test_behind_a_smooth_activation_the_rest_of_the_penalty_vanishes_for_the_models_own_labels_only() -> None:
    model, x = net(nn.Tanh(), 4, 3, 3), torch.randn(1, 4, dtype=torch.float64)
    model[2].weight.data *= 3.0
    exact = trace(model, "pernodedrop", x, "softmax").detach()

    def penalty(labels: Tensor) -> Tensor:
        layers, loss = [model[0], model[2]], lambda z: nn.functional.cross_entropy(z, labels)
        return explicit_penalty(model, x, loss, layers=layers, regularizer="pernodedrop", variance=S2).detach()

    found = [(penalty(labels), chance) for labels, chance in labels_and_chances(model(x), "softmax")]
    torch.testing.assert_close(sum(each * chance for each, chance in found), exact, rtol=1e-12, atol=0.0)
    assert all(abs(float(each / exact) - 1) > 0.05 for each, _ in found)


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_from_gradients_of_the_mean_loss_the_sum_is_multiplied(outputs: Outputs) -> None:
    model, x = net(nn.Tanh(), 4, 3, 3), torch.randn(5, 4, dtype=torch.float64)
    z, calls = seen(model, "dropout", x)
    labels = curvature.drawn_labels(z, outputs, None)
    count = {"softmax": 5, "sigmoid": 15, "squared": 15}[outputs]
    losses = {"softmax": nn.functional.cross_entropy, "sigmoid": nn.functional.binary_cross_entropy_with_logits}
    mean = losses.get(outputs, nn.functional.mse_loss)(z, labels)
    slopes = torch.autograd.grad(mean, [call.edge for call in calls], retain_graph=True)
    squares = sum((call.x * slope).square().sum() for call, slope in zip(calls, slopes, strict=True))
    found = effects.explicit_by_labels(z, calls, labels, outputs)
    torch.testing.assert_close(found, 0.5 * S2 * count * squares, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("noise", ["dropout", "pernodedrop"])
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_drawn_labels_and_drawn_directions_have_the_trace_and_its_gradient_as_their_mean(
    noise: str, outputs: Outputs
) -> None:
    """30 draws of 200 copies of a sample, within five standard errors."""
    model, x = net(nn.Tanh(), 4, 3, 3), torch.randn(1, 4, dtype=torch.float64)
    weights = [model[0].weight, model[2].weight]
    exact = trace(model, noise, x, outputs)
    expected = torch.cat([exact[None], *(each.flatten() for each in torch.autograd.grad(exact, weights))])
    z, calls = seen(model, noise, x.expand(200, -1))
    for form in ("label", "jvp"):
        draws = []
        for _ in range(30):
            if form == "jvp":
                value = effects.explicit_by_products(z, calls, outputs)
            else:
                value = effects.explicit_by_labels(z, calls, curvature.drawn_labels(z, outputs, None), outputs)
            slopes = torch.autograd.grad(value, weights, retain_graph=True)
            draws.append(torch.cat([value.detach()[None], *(each.flatten() for each in slopes)]))
        assert_mean(torch.stack(draws), expected.detach())


class OverTime(nn.Module):
    """Sequences (B, T, I), or (T, B, I) by `batch_first=False`, to outputs (B, C) in which positions meet."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.dense, self.last, self.batch_first = nn.Linear(2, 2), nn.Linear(2, 2), batch_first

    def forward(self, x: Tensor) -> Tensor:
        states = torch.tanh(self.dense(x)).cumsum(1 if self.batch_first else 0)
        return self.last(torch.tanh(states).mean(1 if self.batch_first else 0))


def over_all_signs(model: OverTime, x: Tensor, noise: str, shared: bool) -> Tensor:
    """1/2 s^2 E (J d)^T H (J d) over all sign masks of one sample (1, T, I), d their perturbation."""
    z, positions = model(x), x.shape[1]
    pi = z.detach().softmax(-1)[0]
    hessian = torch.diag(pi) - pi[:, None] * pi

    def tail(y: Tensor) -> Tensor:
        return model.last(torch.tanh(torch.tanh(y).cumsum(0)).mean(0))

    jacobian = torch.autograd.functional.jacobian(tail, model.dense(x[0]), create_graph=True)  # C, T, J
    per_position = (2,) if noise == "dropout" else (2, 2)  # inputs, or units and inputs
    shape = per_position if shared else (positions, *per_position)
    total, count = z.new_zeros(()), 0
    for bits in itertools.product((-1.0, 1.0), repeat=math.prod(shape)):
        signs = torch.tensor(bits, dtype=x.dtype).reshape(shape).expand(positions, *per_position)
        if noise == "dropout":
            added = (x[0] * signs) @ model.dense.weight.T
        else:
            added = torch.einsum("ti,tji,ji->tj", x[0], signs, model.dense.weight)
        u = torch.einsum("ctj,tj->c", jacobian, added)
        total, count = total + u @ hessian @ u, count + 1
    return 0.5 * S2 * total / count


@pytest.mark.parametrize(
    ("noise", "shared"),
    [("dropout", True), ("dropout", False), ("pernodedrop", True), ("pernodedrop", False), ("dropconnect", True)],
)
def test_positions_that_share_a_factor_are_summed_within_the_square(noise: str, shared: bool) -> None:
    model, x = OverTime().double(), torch.randn(1, 2, 2, dtype=torch.float64)
    if noise == "dropout" and shared:
        model.dense.__class__ = SharedNoiseLinear
    expected = over_all_signs(model, x, noise, shared)
    other = over_all_signs(model, x, noise, not shared)
    settings = {"where": ["dense"], "share_time": shared}
    found = over_all_labels(*seen(model, noise, x, **settings), "softmax")
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0.0)
    assert abs(float((other / expected).detach()) - 1) > 0.02
    z, calls = seen(model, noise, x.expand(400, -1, -1), **settings)
    assert_mean(
        torch.stack([effects.explicit_by_products(z, calls, "softmax").detach() for _ in range(20)]), expected.detach()
    )
    model.batch_first = False
    turned = seen(model, noise, x.transpose(0, 1), batch_dim=1, **settings)
    torch.testing.assert_close(over_all_labels(*turned, "softmax"), expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("noise", ["dropout", "pernodedrop", "dropconnect"])
def test_the_implicit_effect_is_the_masks_noise_in_the_gradient_as_it_gets_small(noise: str) -> None:
    """For every draw of signs n: (grad at 1 + s n - grad at 1 - s n) / 2 = s xi + O(s^3), xi the implicit gradient.

    The traces of their covariances, of the same 16 draws, agree the better the smaller s is.
    """
    model, x = net(nn.Tanh(), 4, 3, 3), torch.randn(6, 4, dtype=torch.float64)
    labels, weights = torch.tensor([0, 1, 2, 0, 1, 2]), list(model.parameters())
    generator = torch.Generator()
    z, calls = seen(model, noise, x, rate=0.5, where=["0"], generator=generator)
    loss = nn.functional.cross_entropy(z, labels)

    def gradient(of: Tensor) -> Tensor:
        found = torch.autograd.grad(of, weights, retain_graph=True, allow_unused=True, materialize_grads=True)
        return torch.cat([each.flatten() for each in found])

    def masked(seed: int, s: float) -> Tensor:
        added = s * effects.perturbation(calls[0]) if generator.manual_seed(seed) else None
        first, activation, last = model
        y = first(x + added) if noise == "dropout" else first(x) + added
        return gradient(nn.functional.cross_entropy(last(activation(y)), labels))

    scales = (0.8, 0.4, 0.2, 0.1)
    approximate, exact, worst = [], {s: [] for s in scales}, dict.fromkeys(scales, 0.0)
    for seed in range(16):
        generator.manual_seed(seed)
        approximate.append(gradient(effects.only_gradient(effects.implicit(loss, calls))))
        for s in scales:
            odd = (masked(seed, s) - masked(seed, -s)) / 2
            exact[s].append(odd)
            worst[s] = max(worst[s], float((odd - s * approximate[-1]).norm() / odd.norm()))
    assert worst[0.1] < 0.02
    assert all(worst[s] < worst[2 * s] / 3 for s in (0.4, 0.2, 0.1))  # / 4 in the limit
    power = torch.stack(approximate).square().sum(1)
    ratios = [float(s**2 * power.mean() / torch.stack(exact[s]).square().sum(1).mean()) for s in scales]
    assert ratios[3] == pytest.approx(1.0, abs=0.01)
    assert all(abs(ratio - 1) < abs(before - 1) for before, ratio in itertools.pairwise(ratios))


def test_every_noise_shares_what_its_layer_shares() -> None:
    """Covariances of 20,000 perturbations, within five standard errors."""
    x = torch.randn(2, 3, dtype=torch.float64).expand(20_000, 2, 3)
    layer = nn.Sequential(nn.Linear(3, 2)).double()
    weight = layer[0].weight.detach()
    products = torch.einsum("ti,si,ji->tsj", x[0], x[0], weight.square())
    for noise, samples in (("pernodedrop", True), ("dropconnect", False)):
        _, (call,) = seen(layer, noise, x)
        added = effects.perturbation(call).detach()
        assert torch.equal(added, added[:1].expand_as(added)) != samples
        if samples:
            units = torch.einsum("nti,nsj->ntsij", added, added)
            assert_mean(units, products[..., None] * torch.eye(2, dtype=x.dtype))
    _, (call,) = seen(layer, "dropout", x)
    signs = (effects.perturbation(call) / x).detach()
    assert_mean(signs[:, 0] * signs[:, 1], 0.0)
    torch.testing.assert_close(signs.abs(), torch.ones_like(signs))
