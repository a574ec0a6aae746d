"""Networks whose samples share masks in groups: one expected loss, and the gradient noise that the groups predict.

Exact figures come from all masks of a small network; draws come from the layers, within five standard errors.
"""

from collections.abc import Sequence
from itertools import pairwise, product

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear
from tests.layers.evidence import assert_mean

SAMPLES, DRAWS = 8, 6000
DOUBLE = torch.float64
Batch = tuple[Tensor, Tensor]


def network(groups: int) -> nn.Sequential:
    """Ten connections, at rate 1/2."""
    torch.manual_seed(0)
    first, last = (PerNodeDropLinear(*size, mask_groups=groups, backend="mask") for size in ((3, 2), (2, 2)))
    nn.init.normal_(last.weight, std=2.0)
    return nn.Sequential(first, nn.Tanh(), last).double()


def data(samples: int) -> Batch:
    generator = torch.Generator().manual_seed(4)
    x = 1.0 + 0.5 * torch.randn(samples, 3, generator=generator, dtype=DOUBLE)
    return x, (torch.arange(samples) == 0).long()  # most are alike, so that a mask moves their gradients alike


def every_gradient(batch: Batch) -> Tensor:
    """(2^10 masks, samples, parameters): the gradient of each sample's loss under each mask, one for all samples."""
    parameters = dict(network(1).named_parameters())
    masks = 2.0 * torch.tensor(list(product([0.0, 1.0], repeat=10)), dtype=DOUBLE)

    def loss(parameters: dict[str, Tensor], mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
        first, last = mask[:6].reshape(2, 3), mask[6:].reshape(2, 2)
        hidden = nn.functional.linear(x, first * parameters["0.weight"], parameters["0.bias"]).tanh()
        logits = nn.functional.linear(hidden, last * parameters["2.weight"], parameters["2.bias"])
        return nn.functional.cross_entropy(logits, y)

    of_sample = torch.func.vmap(torch.func.grad(loss), (None, None, 0, 0))
    found = torch.func.vmap(of_sample, (None, 0, None, None))(parameters, masks, *batch)
    return torch.cat([each.flatten(2) for each in found.values()], dim=2)


def drawn_gradients(groups: int, x: Tensor, y: Tensor) -> Tensor:
    """(draws, parameters): of the mean loss of each of the batches x (draws, B, 3), y (draws, B), by the layers."""
    model = network(groups)

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(model, parameters, x), y)

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0), randomness="different")
    return torch.cat([part.flatten(1) for part in each(dict(model.named_parameters()), x, y).values()], dim=1)


def half_square_distances(gradients: Tensor) -> Tensor:
    """Independent numbers whose expectation is the trace of the covariance."""
    one, two = gradients.chunk(2)
    return 0.5 * (one - two).square().sum(1)


@pytest.fixture(scope="module")
def gradients() -> Tensor:
    return every_gradient(data(SAMPLES))


def members(groups: int) -> Sequence[range]:
    first = [-(-group * SAMPLES // groups) for group in range(groups + 1)]
    return [range(a, b) for a, b in pairwise(first)]


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_given_a_batch_the_noise_is_the_sum_over_the_pairs_of_each_group(gradients: Tensor, groups: int) -> None:
    around = gradients - gradients.mean(0)
    pairs = torch.einsum("mbp,mcp->bc", around, around) / len(around)  # tr Gamma_bc
    expected = sum(pairs[group][:, group].sum() for group in map(list, members(groups))) / SAMPLES**2
    x, y = data(SAMPLES)
    found = drawn_gradients(groups, x.expand(DRAWS, -1, -1), y.expand(DRAWS, -1))
    assert_mean(half_square_distances(found), expected)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_over_fresh_batches_the_noise_is_a_over_b_m_over_g_and_r_over_b(gradients: Tensor, groups: int) -> None:
    """A = Cov_x E_m, M = Cov_m E_x, R the interaction; the samples of a batch are drawn with replacement."""
    total = gradients.var((0, 1), correction=0).sum()
    a = gradients.mean(0).var(0, correction=0).sum()
    m = gradients.mean(1).var(0, correction=0).sum()
    r = total - a - m
    size = 4
    x, y = data(SAMPLES)
    chosen = torch.randint(SAMPLES, (DRAWS, size))
    found = drawn_gradients(groups, x[chosen], y[chosen])
    assert_mean(half_square_distances(found), a / size + m / groups + r / size)
    assert m > 0.2 * total


class Told:
    """Noise that a test writes down: the masks of the layers in the order of their calls."""

    def __init__(self) -> None:
        self.next: list[Tensor] = []

    def __call__(self, shape: Sequence[int], **options: object) -> Tensor:
        return self.next.pop(0).reshape(*shape) if self.next else torch.ones(*shape, dtype=DOUBLE)


@pytest.mark.parametrize("meeting", [False, True])
def test_the_expected_loss_is_the_same_unless_samples_meet(meeting: bool) -> None:
    """All 2^4 masks of a network for one group of two samples, all 2^8 pairs of masks for two groups."""
    torch.manual_seed(0)
    told = Told()
    first, last = PerNodeDropLinear(1, 2, stir_type=told), PerNodeDropLinear(2, 1, stir_type=told)
    between = nn.BatchNorm1d(2) if meeting else nn.ReLU()
    model = nn.Sequential(first, between, last).double()
    x, y = torch.tensor([[0.7], [-1.3]], dtype=DOUBLE), torch.tensor([[1.0], [0.0]], dtype=DOUBLE)
    expected = {}
    for groups in (1, 2):
        first.mask_groups = last.mask_groups = groups
        losses = []
        for mask in 2.0 * torch.tensor(list(product([0.0, 1.0], repeat=4 * groups)), dtype=DOUBLE):
            told.next = list(mask.reshape(groups, 4).split(2, dim=1))
            losses.append(nn.functional.binary_cross_entropy_with_logits(model(x), y))
        expected[groups] = torch.stack(losses).mean().item()
    assert (expected[1] == pytest.approx(expected[2], abs=1e-13)) is not meeting


def test_sgd_hovers_above_the_minimum_by_a_quarter_of_the_rate_times_the_noise() -> None:
    """Stationary excess = lr / 4 tr C + O(lr^2), C the gradient noise at the minimum: linear regression, B = 32."""
    chains, features, samples = 300, 8, 32
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(samples, features, generator=generator, dtype=DOUBLE)
    t = x.sum(1, keepdim=True) + torch.randn(samples, 1, generator=generator, dtype=DOUBLE)
    second = x.T @ x / samples
    hessian = second + second.diagonal().diag()  # of the expected loss: s^2 = 1
    minimum = torch.linalg.solve(hessian, x.T @ t / samples).T
    rate = 0.05 / torch.linalg.eigvalsh(hessian)[-1]
    ratios = {}
    for groups in (1, 4, samples):
        # Each unit is a chain of its own.
        layer = PerNodeDropLinear(features, chains, bias=False, mask_groups=groups, backend="mask").double()
        with torch.no_grad():
            layer.weight.copy_(minimum.expand(chains, -1))
        excesses, noises = [], []
        for step in range(200):
            (gradient,) = torch.autograd.grad((layer(x) - t).square().sum() / (2 * samples), layer.weight)
            noises += [gradient.var(0).sum()] if step == 0 else []
            with torch.no_grad():
                layer.weight -= rate * gradient
                away = layer.weight - minimum
                excesses += [0.5 * (away @ hessian * away).sum(1).mean()] if step >= 100 else []
        ratios[groups] = (4 * torch.stack(excesses).mean() / rate / noises[0]).item()
    assert all(ratio == pytest.approx(1.0, abs=0.15) for ratio in ratios.values()), ratios
