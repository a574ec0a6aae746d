"""The curvature of small networks against their explicit Hessians."""

import copy
import math
from itertools import product
from typing import Any

import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pernodedrop import regularize
from pernodedrop.expected_loss import explicit_penalty
from pernodedrop.hessian import Eigenvalue, Hessian, gradient_moments
from workers.tasks import SparseLinear, SparseRows

VECTORS = 200


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(activation: type[nn.Module] = nn.Tanh, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(5, 6), activation(), nn.Linear(6, 3)).to(dtype)


def problem(model: nn.Module) -> Hessian[Tensor]:
    """The model's Hessian over three batches of different sizes."""
    x = torch.randn(22, 5, generator=seeded(1), dtype=torch.float64).to(next(model.parameters()).dtype)
    y = torch.randint(3, (22,), generator=seeded(2))
    return Hessian(model, list(zip(x.split(9), y.split(9), strict=True)), nn.functional.cross_entropy)


def explicit(hessian: Hessian[Tensor]) -> Tensor:
    """The Hessian (P, P), by torch's own derivatives of one function of the flat parameters."""
    names = [name for name, _ in hessian.model.named_parameters()]
    shapes = [parameter.shape for parameter in hessian.parameters]
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in hessian.parameters])
    x, y = (torch.cat(parts) for parts in zip(*hessian.batches, strict=True))

    def loss(row: Tensor) -> Tensor:
        pieces = row.split([shape.numel() for shape in shapes])
        parameters = {name: part.view(shape) for name, part, shape in zip(names, pieces, shapes, strict=True)}
        return hessian.loss(torch.func.functional_call(hessian.model, parameters, (x,)), y)

    found: Tensor = torch.autograd.functional.hessian(loss, flat)  # type: ignore[no-untyped-call]
    return found.double()


def weights(model: nn.Module) -> Tensor:
    """Every parameter in one row, 0 for what is no entry of a matrix."""
    return torch.cat([p.detach().reshape(-1) * (p.dim() > 1) for p in model.parameters()])


class Quadratic(nn.Module):
    """<theta, A theta> / 2 for diagonal A, whatever the inputs."""

    def __init__(self, *curvatures: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(len(curvatures), dtype=torch.float64))
        self.register_buffer("curvatures", torch.tensor(curvatures, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * (self.curvatures * self.theta**2).sum()


def quadratic(*curvatures: float) -> Hessian[Tensor]:
    return Hessian(Quadratic(*curvatures), [(torch.zeros(1), torch.zeros(1))], lambda outputs, _: outputs)


def test_a_product_and_the_gradient_are_those_of_the_mean_over_all_batches() -> None:
    hessian = problem(network())
    u = torch.randn(hessian.size, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(hessian.product(u), explicit(hessian) @ u)
    x, y = (torch.cat(parts) for parts in zip(*hessian.batches, strict=True))
    slope = torch.autograd.grad(nn.functional.cross_entropy(hessian.model(x), y), hessian.parameters)
    torch.testing.assert_close(hessian.gradient(), torch.cat([part.reshape(-1) for part in slope]))


def test_traces_and_their_errors_are_those_of_sign_vectors() -> None:
    """Four standard errors of the means, and of their squared errors, whose own are some 10 % here."""
    hessian = problem(network())
    H = explicit(hessian)
    found = hessian.traces(VECTORS, generator=seeded(3))
    scaled = weights(hessian.model) * H * weights(hessian.model)[:, None]
    for estimate, matrix in ((found.trace, H), (found.weighted, scaled)):
        variance = 2 * (matrix.square().sum() - matrix.diag().square().sum())
        assert abs(estimate.mean - matrix.trace()) < 4 * estimate.error
        assert estimate.error**2 * VECTORS == pytest.approx(variance.item(), rel=0.4)
    normal = torch.randn(60_000, hessian.size, generator=seeded(), dtype=torch.float64)
    of_normal = ((normal @ H) * normal).sum(1).var()
    assert of_normal == pytest.approx(2 * H.square().sum().item(), rel=0.05)
    assert quadratic(-10.0, 3.0, 1.0).traces(5, generator=seeded()).trace == (pytest.approx(-6.0), pytest.approx(0.0))


def test_the_weighted_trace_is_the_explicit_penalty_of_noise_on_every_weight() -> None:
    hessian = problem(network())
    layers = [hessian.model[0], hessian.model[2]]  # type: ignore[index]
    x, y = (torch.cat(parts) for parts in zip(*hessian.batches, strict=True))
    penalty = explicit_penalty(
        hessian.model,
        x,
        lambda outputs: nn.functional.cross_entropy(outputs, y),
        layers=layers,
        regularizer="pernodedrop",
        variance=0.3,
    )
    exact = (weights(hessian.model) ** 2 * explicit(hessian).diag()).sum()
    assert 2 / 0.3 * penalty.item() == pytest.approx(exact.item(), rel=1e-9)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-3)])
def test_both_ends_of_the_spectrum_are_found_to_their_residuals(dtype: torch.dtype, tolerance: float) -> None:
    hessian = problem(network(dtype=dtype))
    eigenvalues = torch.linalg.eigvalsh(explicit(hessian))
    found = hessian.extremes(tolerance=tolerance, generator=seeded())
    assert found.top.residual <= 1.01 * tolerance * found.top.value
    assert abs(found.top.value - eigenvalues[-1]) <= found.top.residual + 1e-6
    assert abs(found.bottom.value - eigenvalues[0]) <= found.bottom.residual + 1e-6
    assert found.products <= hessian.size
    if dtype == torch.float64:
        operator = LinearOperator(
            (hessian.size, hessian.size), lambda u: hessian.product(torch.from_numpy(u.ravel())).numpy(), dtype=float
        )
        assert found.top.value == pytest.approx(eigsh(operator, 1, which="LA", v0=[1.0] * hessian.size)[0].item())


def test_a_short_memory_starts_again_from_what_it_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pernodedrop.hessian.KEPT_BYTES", 0)
    hessian = problem(network())
    eigenvalues = torch.linalg.eigvalsh(explicit(hessian))
    found = hessian.extremes(tolerance=1e-6, most=200, generator=seeded())
    assert found.top.value == pytest.approx(eigenvalues[-1].item(), rel=1e-6)
    assert found.top.residual <= 1.01e-6 * found.top.value
    assert abs(found.bottom.value - eigenvalues[0]) <= found.bottom.residual
    assert found.products < 200


def test_the_top_is_the_largest_and_not_the_one_of_largest_magnitude() -> None:
    found = quadratic(-10.0, 3.0, 1.0, 0.5, 0.0).extremes(tolerance=1e-9, generator=seeded())
    assert (found.top.value, found.bottom.value) == (pytest.approx(3.0), pytest.approx(-10.0))
    below = quadratic(-10.0, -2.0, -1.0).extremes(generator=seeded())
    assert below.top.value == pytest.approx(-1.0)


def test_a_loss_without_curvature_has_none() -> None:
    hessian = problem(nn.Linear(5, 3).double())
    flat = Hessian(hessian.model, hessian.batches, lambda outputs, _: outputs.sum())
    assert flat.extremes(generator=seeded())[:2] == (Eigenvalue(0.0, 0.0), Eigenvalue(0.0, 0.0))
    assert flat.traces(2, generator=seeded()).trace == (0.0, 0.0)


def test_too_few_products_leave_a_residual_that_says_how_far_away_an_eigenvalue_is() -> None:
    hessian = problem(network())
    eigenvalues = torch.linalg.eigvalsh(explicit(hessian))
    found = hessian.extremes(most=3, generator=seeded())
    assert found.products == 3
    for end, extreme in ((found.top, -1), (found.bottom, 0)):
        assert end.residual > 1e-2 * abs(end.value)
        assert (eigenvalues - end.value).abs().min() <= end.residual
        assert abs(eigenvalues[extreme] - end.value) > 1e-3 * abs(end.value)


def test_rescaling_a_relu_network_changes_the_trace_and_not_the_weighted_one() -> None:
    one = network(nn.ReLU)
    other = copy.deepcopy(one)
    with torch.no_grad():
        other[0].weight.mul_(10), other[0].bias.mul_(10), other[2].weight.div_(10)
    first, second = problem(one), problem(other)
    torch.testing.assert_close(one(first.batches[0][0]), other(first.batches[0][0]))
    before, after = first.traces(20, generator=seeded()), second.traces(20, generator=seeded())
    assert after.weighted == pytest.approx(before.weighted, rel=1e-9)
    exact = [explicit(each).trace() for each in (first, second)]
    assert exact[1] > 3 * exact[0]
    assert abs(after.trace.mean - exact[1]) < 4 * after.trace.error


def test_measuring_leaves_everything_as_it_was_and_repeats() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.ReLU(), nn.Linear(8, 3))
    regularize(model, "pernodedrop", "4", generator=seeded(7))
    model(torch.randn(6, 5)).square().sum().backward()
    model[2].eval()
    own: Any = model[4]

    def state() -> list[Any]:
        tensors = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
        random = [torch.get_rng_state(), own.generator.get_state()]
        return [each.tolist() for each in (*tensors, *random)] + [module.training for module in model.modules()]

    before = copy.deepcopy(state())
    hessian = problem(model)
    figures = [(hessian.traces(3, generator=seeded()), hessian.extremes(generator=seeded())) for _ in range(2)]
    assert figures[0] == figures[1]
    assert hessian.gradient().norm() > 0
    assert state() == before


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # type: ignore[override]
        return slope * ctx.saved_tensors[0].cos()


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        applied: Tensor = Once.apply(x)  # type: ignore[no-untyped-call]
        return applied


def test_a_module_without_a_second_derivative_is_named() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Tanh(), Sine()), nn.Linear(4, 3)).double()
    said = r"^curvature needs second derivatives, and module '1.1', a Sine, has none \(.*\): replace it$"
    with pytest.raises(ValueError, match=said):
        problem(model).product(torch.ones(39))
    loss = Hessian(network(), problem(network()).batches, lambda outputs, _: Once.apply(outputs).square().sum())  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="and the loss has none"):
        loss.gradient() @ loss.product(torch.ones(57))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="vectors must be at least 2, for a standard error, got 1"):
        problem(network()).traces(1, generator=seeded())
    with pytest.raises(ValueError, match="most must be at least 1 product, got 0"):
        problem(network()).extremes(most=0, generator=seeded())
    with pytest.raises(ValueError, match="needs a batch and a parameter that learns, got 1 batches"):
        Hessian(nn.Flatten(), [(torch.zeros(1), torch.zeros(1))], nn.functional.mse_loss)
    with pytest.raises(ValueError, match="count must be at least 2, for a variance, got 1"):
        gradient_moments(lambda: [torch.ones(2)], 1)


def test_sparse_rows_have_the_curvature_of_their_dense_matrix() -> None:
    dense = torch.randn(8, 5, generator=seeded()) * (torch.rand(8, 5, generator=seeded(1)) < 0.4)
    columns = torch.cat([row.nonzero().squeeze(1) for row in dense]).int()
    offsets = torch.tensor([0, *dense.count_nonzero(1).cumsum(0)], dtype=torch.int32)
    rows = SparseRows(columns, dense[dense != 0], offsets)
    y = torch.randint(3, (8,), generator=seeded(2))
    sparse = nn.Sequential(SparseLinear(5, 4), nn.Tanh(), nn.Linear(4, 3))

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.all = sparse

        def forward(self, x: Tensor) -> Tensor:
            first = sparse[0]
            return sparse[1:](x @ first.weight + first.bias)  # type: ignore[no-any-return]

    u = torch.randn(sum(p.numel() for p in sparse.parameters()), generator=seeded(3))
    found = [
        Hessian(model, [(x, y)], nn.functional.cross_entropy).product(u)  # type: ignore[list-item]
        for model, x in ((sparse, rows), (Plain(), dense))
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_the_moments_of_a_gradient_are_unbiased() -> None:
    """Over all nine equally likely pairs of draws from three gradients."""
    gradients = torch.tensor([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5]], dtype=torch.float64)
    found = []
    for pair in product(gradients, repeat=2):
        draws = iter(pair)
        found.append(gradient_moments(lambda draws=draws: [*next(draws).split(1)], 2))  # type: ignore[misc]
    noise, square = (math.fsum(part) / 9 for part in zip(*found, strict=True))
    assert noise == pytest.approx(gradients.var(0, correction=0).sum().item())
    assert square == pytest.approx(gradients.mean(0).square().sum().item())
