"""One contract for every backend: what a layer of independent connection noise must do."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from pernodedrop.functional import pernode_linear
from tests.layers.evidence import assert_covariance, assert_mean, assert_same_law

EXACT: list[tuple[str, str]] = [
    ("mask", "bernoulli"),
    ("mask", "gaussian"),
    ("mask", "partial_gaussian"),
    ("kernel", "bernoulli"),
    ("kernel", "gaussian"),
    ("kernel", "partial_gaussian"),
    ("reparameterized", "gaussian"),
    ("reparameterized", "partial_gaussian"),
    ("flipout", "gaussian"),
    ("flipout", "partial_gaussian"),
    ("flipout", "bernoulli"),
]
EVERY = [*EXACT, ("moment_matched", "bernoulli")]
MASK_EXACT = [case for case in EXACT if case[0] in ("mask", "kernel")]
RATE, FRACTION = 0.5, 0.4
I, J = 24, 3  # noqa: E741 - the science's own names

every = pytest.mark.parametrize("backend, stir_type", EVERY)
exact = pytest.mark.parametrize("backend, stir_type", EXACT)


def layer(backend: str, stir_type: str, seed: int | None = None) -> Callable[..., Tensor]:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return partial(
        pernode_linear,
        drop_rate=RATE,
        stir_type=stir_type,
        noisy_fraction=FRACTION,
        backend=backend,
        generator=generator,
    )


def variance(stir_type: str) -> float:
    return RATE / (1 - RATE) * (FRACTION if stir_type == "partial_gaussian" else 1.0)


def draws_of(backend: str, stir_type: str, x: Tensor, weight: Tensor, count: int) -> Tensor:
    """`count` independent outputs for one batch x (B, I): (count, B, J), of `count // 100` separate calls each."""
    ran = layer(backend, stir_type, seed=11)
    if backend != "flipout":
        tiled = x.repeat(count, 1)
        return ran(tiled, weight).reshape(count, *x.shape[:-1], -1)
    return torch.stack([ran(x, weight) for _ in range(count)])  # samples of one call share |noise|


@every
def test_mean_and_covariance(backend: str, stir_type: str) -> None:
    """Cov(y_bj, y_ck) = [b=c][j=k] s^2 sum_i x_bi^2 W_ji^2."""
    x, weight = torch.randn(2, I, dtype=torch.float64), torch.randn(J, I, dtype=torch.float64)
    y = draws_of(backend, stir_type, x, weight, 4000 if backend == "flipout" else 20_000)
    assert_mean(y, x @ weight.T)
    own = variance(stir_type) * (x**2) @ (weight**2).T
    assert_covariance(y, y, own, slack=float(own.max()) * 2.0**-10)
    for unit in range(1, J):
        assert_covariance(y, y.roll(unit, dims=2), 0.0)
    assert_covariance(y[:, 0], y[:, 1], 0.0)


@exact
def test_same_law_as_the_reference(backend: str, stir_type: str) -> None:
    x, weight = torch.randn(1, 6), torch.randn(1, 6)  # few connections: far from Gaussian for bernoulli noise
    mine = draws_of(backend, stir_type, x, weight, 4000)
    reference = layer("mask", stir_type, seed=5)(x.repeat(20_000, 1), weight)
    assert_same_law(mine, reference)


def test_moment_matching_differs_where_connections_are_few() -> None:
    x, weight = torch.ones(1, 3), torch.ones(1, 3)
    matched = draws_of("moment_matched", "bernoulli", x, weight, 4000)
    with pytest.raises(AssertionError, match="distance"):
        assert_same_law(matched, draws_of("mask", "bernoulli", x, weight, 4000))


@every
def test_gradients_of_the_identity(backend: str, stir_type: str) -> None:
    """The output is homogeneous in x and in W: <gW, W> = <gx, x> = <g, y>."""
    x = torch.randn(5, 70, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(9, 70, dtype=torch.float64, requires_grad=True)
    g = torch.randn(5, 9, dtype=torch.float64)
    y = layer(backend, stir_type, seed=1)(x, weight)
    y.backward(g)
    expected = (g * y).sum()
    torch.testing.assert_close((x.grad * x).sum(), expected)
    torch.testing.assert_close((weight.grad * weight).sum(), expected)


@every
@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 7)])
def test_gradcheck_with_frozen_noise(backend: str, stir_type: str, shape: tuple[int, ...]) -> None:
    if len(shape) == 3 and backend in ("reparameterized", "moment_matched"):
        pytest.skip("masks shared over time have no such backend")
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def frozen(*inputs: Tensor) -> Tensor:
        return layer(backend, stir_type, seed=2)(*inputs)

    assert torch.autograd.gradcheck(frozen, (x, weight, bias), fast_mode=True)
    assert torch.autograd.gradgradcheck(frozen, (x, weight, bias), fast_mode=True)


@exact
def test_gradient_noise(backend: str, stir_type: str) -> None:
    """Same mean gradient everywhere; the mask's total variance where masks are drawn, a smaller one where not."""
    x, weight = torch.randn(1, 8, dtype=torch.float64), torch.randn(2, 8, dtype=torch.float64)
    count = 2000

    def gradients(of: str, seed: int) -> Tensor:
        """Of |y|^2 / 2 in x, for independent draws of the noise: (count, 8)."""
        ran = layer(of, stir_type, seed)
        inputs = x.repeat(count, 1).requires_grad_()
        calls = inputs.split(1) if of == "flipout" else [inputs]  # samples of one flipout call share |noise|
        y = torch.cat([ran(call, weight) for call in calls])
        (gradient,) = torch.autograd.grad((y**2).sum() / 2, inputs)
        return gradient

    mine, reference = gradients(backend, 3), gradients("mask", 4)
    assert_mean(mine - reference, 0.0)  # two independent samples: the difference of paired draws has mean 0
    squares, others = ((g - g.mean(0)).square().sum(1) for g in (mine, reference))
    if backend == "reparameterized":
        assert squares.mean() < 0.95 * others.mean()
    else:
        assert_mean(squares - others, 0.0)


@every
def test_rate_zero_is_the_dense_layer(backend: str, stir_type: str) -> None:
    if backend == "flipout" and stir_type == "bernoulli":
        pytest.skip("flipout takes bernoulli noise at rate .5 only")
    x, weight, bias = torch.randn(4, I), torch.randn(J, I), torch.randn(J)
    y = pernode_linear(x, weight, bias, 0.0, stir_type=stir_type, backend=backend)
    assert torch.equal(y, nn.functional.linear(x, weight, bias))


@every
@pytest.mark.parametrize("shape", [(I,), (1, I), (5, I), (5, 2, I), (2, 3, 2, I), (0, I), (0, 4, I)])
def test_leading_dimensions(backend: str, stir_type: str, shape: tuple[int, ...]) -> None:
    if len(shape) > 2 and backend in ("reparameterized", "moment_matched"):
        pytest.skip("masks shared over time have no such backend")
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(J, I, requires_grad=True)
    y = layer(backend, stir_type)(x, weight, torch.zeros(J))
    assert y.shape == (*shape[:-1], J)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert bool(weight.grad.isfinite().all())


@every
def test_zero_rows_have_finite_gradients(backend: str, stir_type: str) -> None:
    x = torch.zeros(3, I, requires_grad=True)
    weight = torch.randn(J, I, requires_grad=True)
    y = layer(backend, stir_type)(x, weight)
    assert torch.equal(y, torch.zeros(3, J))
    y.sum().backward()
    assert bool(x.grad.isfinite().all())
    assert torch.equal(weight.grad, torch.zeros(J, I))


@every
def test_strides_do_not_matter(backend: str, stir_type: str) -> None:
    x, weight = torch.randn(I, 8).T, torch.randn(I, 2 * J)[:, ::2].T
    assert not x.is_contiguous()
    strided = layer(backend, stir_type, seed=9)(x, weight)
    torch.testing.assert_close(strided, layer(backend, stir_type, seed=9)(x.contiguous(), weight.contiguous()))


@every
def test_seeds_rule(backend: str, stir_type: str) -> None:
    x, weight = torch.randn(4, I), torch.randn(J, I)
    first = layer(backend, stir_type, seed=1)
    again = layer(backend, stir_type, seed=1)
    a, b = first(x, weight), first(x, weight)
    assert torch.equal(a, again(x, weight))
    assert not torch.equal(a, b)
    torch.manual_seed(4)
    c = layer(backend, stir_type)(x, weight)
    torch.manual_seed(4)
    assert torch.equal(c, layer(backend, stir_type)(x, weight))


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtypes(backend: str, stir_type: str, dtype: torch.dtype) -> None:
    x = torch.randn(4, I, dtype=dtype, requires_grad=True)
    weight = torch.randn(J, I, dtype=dtype, requires_grad=True)
    y = layer(backend, stir_type)(x, weight, torch.zeros(J, dtype=dtype))
    y.sum().backward()
    assert y.dtype == x.grad.dtype == weight.grad.dtype == dtype


@every
def test_autocast(backend: str, stir_type: str) -> None:
    x, weight = torch.randn(4, I, requires_grad=True), torch.randn(J, I, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(backend, stir_type)(x, weight)
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    assert x.grad.dtype == weight.grad.dtype == torch.float32


@pytest.mark.parametrize("backend, stir_type", MASK_EXACT)
def test_single_and_double_precision_share_their_noise(backend: str, stir_type: str) -> None:
    if backend == "mask" and stir_type != "bernoulli":
        pytest.skip("torch draws other normals in double precision")
    x, weight = torch.randn(4, 300), torch.randn(J, 300)
    single = layer(backend, stir_type, seed=1)(x, weight)
    double = layer(backend, stir_type, seed=1)(x.double(), weight.double())
    torch.testing.assert_close(single, double.float(), rtol=1e-4, atol=1e-4)
