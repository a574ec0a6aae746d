"""Masks that change slowly over the positions of a sample: their laws, and what each backend makes of them.

Draws are compared within five standard errors of their own (`evidence`).
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pernodedrop import PerNodeDropLinear
from pernodedrop.functional import pernode_linear
from tests.layers.evidence import assert_covariance, assert_mean, assert_same_law

DOUBLE = torch.float64
BACKENDS = [
    ("mask", "bernoulli"),
    ("kernel", "bernoulli"),
    ("mask", "gaussian"),
    ("reparameterized", "gaussian"),
    ("flipout", "gaussian"),
    ("mask", "partial_gaussian"),
    ("reparameterized", "partial_gaussian"),
    ("flipout", "partial_gaussian"),
]
RATE, FRACTION = 0.4, 0.5
S2 = RATE / (1 - RATE)

every = pytest.mark.parametrize("backend, stir_type", BACKENDS)


def layer(backend: str, stir_type: str, share_time: float, seed: int | None = None) -> Callable[..., Tensor]:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return lambda x, weight, **more: pernode_linear(
        x,
        weight,
        None,
        RATE,
        stir_type=stir_type,
        noisy_fraction=FRACTION,
        share_time=share_time,
        backend=backend,
        generator=generator,
        **more,
    )


def factors(backend: str, stir_type: str, share_time: float, count: int, positions: int) -> Tensor:
    """The factors (count, positions) of so many connections: one connection's output is its factor."""
    units = 64 if backend == "flipout" else 8  # samples of one flipout call share |noise|, its units do not
    samples = 1 if backend == "flipout" else count // units
    x, weight = torch.ones(samples, positions, 1, dtype=DOUBLE), torch.ones(units, 1, dtype=DOUBLE)
    ran = layer(backend, stir_type, share_time, seed=7)
    calls = count // (samples * units)
    return torch.cat([ran(x, weight).transpose(1, 2).reshape(-1, positions) for _ in range(calls)])


def assert_process(m: Tensor, variance: float, rho: float, slack: float = 2.0**-10) -> None:
    """Mean 1 and Cov(m_t, m_t') = variance rho^|t-t'| at every pair of positions: stationary from the first on."""
    assert_mean(m, 1.0)
    noise = m - 1.0
    positions = m.shape[1]
    lags = (torch.arange(positions)[:, None] - torch.arange(positions)).abs()
    assert_mean(noise[:, :, None] * noise[:, None, :], variance * rho**lags, slack)


@pytest.mark.parametrize("rho", [0.6, 0.9, -0.5])
@every
def test_the_factors_keep_their_law_and_their_correlation(backend: str, stir_type: str, rho: float) -> None:
    m = factors(backend, stir_type, rho, 6400, 6)
    assert_process(m, S2 * (FRACTION if stir_type == "partial_gaussian" else 1.0), rho)
    if stir_type == "bernoulli":
        keep = m.max(0).values
        assert set(torch.unique(m / keep).tolist()) == {0.0, 1.0}
        assert_mean((m > 0).double(), 1 - RATE)
    else:
        fourth = 3 * S2**2 * (FRACTION if stir_type == "partial_gaussian" else 1.0)
        assert_mean((m - 1) ** 4, fourth)


def test_runs_last_as_long_as_they_should() -> None:
    """1 / (p (1 - rho)) positions where kept, 1 / (keep (1 - rho)) where dropped."""
    m = factors("kernel", "bernoulli", 0.9, 8000, 30) > 0
    for state, rate in ((m, RATE), (~m, 1 - RATE)):
        ends = (state[:, :-1] & ~state[:, 1:]).double()
        assert_mean(ends[state[:, :-1]], rate * (1 - 0.9))


def test_partly_noisy_connections_stay_the_same_ones() -> None:
    m = factors("mask", "partial_gaussian", 0.6, 640, 5)
    noisy = m != 1.0
    assert torch.equal(noisy, noisy[:, :1].expand_as(noisy))


def heavy(shape: Any, *, generator: Any, dtype: Any, device: Any) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=dtype, device=device).log().neg()


def test_any_law_copies_or_refreshes() -> None:
    x, weight = torch.ones(800, 4, 1, dtype=DOUBLE), torch.ones(8, 1, dtype=DOUBLE)
    y = pernode_linear(x, weight, stir_type=heavy, share_time=0.7)
    m = y.transpose(1, 2).flatten(0, 1)
    assert_process(m, 1.0, 0.7)
    assert_mean((m[:, 1:] == m[:, :-1]).double(), 0.7)
    with pytest.raises(ValueError, match=r"must be at least 0 for stir_type 'custom' at drop_rate 0.5, got -0.1"):
        pernode_linear(x, weight, stir_type=heavy, share_time=-0.1)


def covariance(x: Tensor, weight: Tensor, rho: float) -> Tensor:
    """K (T, T, J) of the pre-activations of a sample x (T, I)."""
    lags = (torch.arange(len(x))[:, None] - torch.arange(len(x))).abs()
    return S2 * rho ** lags[..., None] * torch.einsum("ti,ui,ji->tuj", x, x, weight**2)


@pytest.mark.parametrize("rho", [0.7, -0.5])
@every
def test_the_covariance_of_the_pre_activations(backend: str, stir_type: str, rho: float) -> None:
    """K_j between positions, 0 between units and between samples, mean x W."""
    x, weight, count = torch.randn(2, 4, 5, dtype=DOUBLE), torch.randn(3, 5, dtype=DOUBLE), 3000
    tiled = weight.repeat(count, 1)  # every unit has masks of its own
    y = layer(backend, stir_type, rho, seed=3)(x, tiled).reshape(2, 4, count, 3).permute(2, 0, 1, 3)  # N, B, T, J
    assert_mean(y, x @ weight.T)
    share = FRACTION if stir_type == "partial_gaussian" else 1.0
    for sample in range(2):
        noise = y[:, sample] - x[sample] @ weight.T
        k = share * covariance(x[sample], weight, rho)
        assert_mean(noise[:, :, None] * noise[:, None, :], k, slack=float(k.max()) * 2.0**-10)
    assert_covariance(y[:, 0, :2], y[:, 1, 1:3], 0.0)
    assert_covariance(y[..., 0], y[..., 1], 0.0)


@pytest.mark.parametrize("backend, stir_type", [case for case in BACKENDS if case[0] != "mask"])
def test_two_positions_have_the_joint_law_of_the_masks(backend: str, stir_type: str) -> None:
    """Of few connections, far from Gaussian where the noise is; rounded, as the kernel meets a rate within 2^-13."""
    x, weight = torch.randn(1, 1, 3, dtype=DOUBLE).expand(1, 2, 3), torch.randn(1, 3, dtype=DOUBLE).repeat(4000, 1)
    mine, masks = (layer(way, stir_type, 0.8, seed=9)(x, weight)[0].round(decimals=2) for way in (backend, "mask"))
    assert_same_law(mine[0] * mine[1], masks[0] * masks[1])
    assert_same_law(mine[0] - mine[1], masks[0] - masks[1])
    with pytest.raises(AssertionError, match="distance"):
        other = layer("mask", stir_type, 0.6, seed=9)(x, weight)[0].round(decimals=2)
        assert_same_law(mine[0] - mine[1], other[0] - other[1])


@pytest.mark.parametrize("share", [0, 0.0, 1, 1.0])
@pytest.mark.parametrize("backend, stir_type", [("auto", "bernoulli"), ("kernel", "gaussian"), ("mask", "gaussian")])
def test_zero_and_one_are_false_and_true_to_the_last_bit(share: float, backend: str, stir_type: str) -> None:
    x, weight = torch.randn(3, 4, 6), torch.randn(5, 6)
    found = [layer(backend, stir_type, value, seed=1)(x, weight) for value in (share, bool(share))]
    assert torch.equal(*found)
    assert PerNodeDropLinear(6, 5, share_time=share).share_time is bool(share)


@pytest.mark.parametrize("rho, share", [(1e-9, False), (1 - 1e-9, True)])
@pytest.mark.parametrize("backend, stir_type", BACKENDS[:5])
def test_the_ends_are_met_in_law(backend: str, stir_type: str, rho: float, share: bool) -> None:
    m = factors(backend, stir_type, rho, 3200, 3)
    assert_process(m, S2, float(share))


def test_a_second_sequence_starts_anew() -> None:
    x, weight = torch.ones(2000, 3, 1, dtype=DOUBLE), torch.ones(2, 1, dtype=DOUBLE)
    for backend, stir_type in BACKENDS[:4]:
        ran = layer(backend, stir_type, 0.99, seed=2)
        first, second = ran(x, weight), ran(x, weight)
        assert_covariance(first[:, -1], second[:, 0], 0.0)
        assert_covariance(first[1:, -1], first[:-1, 0], 0.0)


@every
def test_gradients_are_of_the_same_factors(backend: str, stir_type: str) -> None:
    x = torch.randn(2, 3, 35, dtype=DOUBLE, requires_grad=True)
    weight = torch.randn(4, 35, dtype=DOUBLE, requires_grad=True)

    def frozen(*inputs: Tensor) -> Tensor:
        return layer(backend, stir_type, 0.6, seed=2)(*inputs)

    assert torch.autograd.gradcheck(frozen, (x, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(frozen, (x, weight), fast_mode=True)
    y = frozen(x, weight)
    y.sum().backward()
    torch.testing.assert_close((weight.grad * weight).sum(), y.sum())


@every
def test_zero_rows_and_half_precision(backend: str, stir_type: str) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(2, 3, 8).to(dtype)
        x[0, 1] = 0.0
        x.requires_grad_()
        weight = torch.randn(4, 8, dtype=dtype, requires_grad=True)
        y = layer(backend, stir_type, 0.6)(x, weight)
        assert torch.equal(y[0, 1], torch.zeros(4, dtype=dtype))
        y.sum().backward()
        assert y.dtype == x.grad.dtype == weight.grad.dtype == dtype
        assert bool(x.grad.isfinite().all())
        assert bool(weight.grad.isfinite().all())


@pytest.mark.usefixtures("every_thread")
def test_a_factor_of_the_kernel_depends_on_its_place_alone() -> None:
    """Nor on how many positions, samples, units or threads there are."""
    ones = torch.ones(5, 1, dtype=DOUBLE)
    long = layer("kernel", "bernoulli", 0.6, seed=4)(torch.ones(20, 9, 1, dtype=DOUBLE), ones)
    torch.set_num_threads(3)
    short = layer("kernel", "bernoulli", 0.6, seed=4)(torch.ones(18, 4, 1, dtype=DOUBLE), ones[:3])
    assert torch.equal(long[:18, :4, :3], short)


def test_gradient_noise_is_as_declared() -> None:
    """tr Cov of the gradient of |y|^2 / 2 in W: that of masks, less, or more where samples meet."""
    x, weight, count = torch.randn(4, 3, 6, dtype=DOUBLE), torch.randn(2, 6, dtype=DOUBLE), 1500
    traces = {}
    for backend in ("mask", "reparameterized", "flipout"):
        tiled = weight.repeat(count, 1).requires_grad_()
        if backend == "flipout":  # its units share signs
            y = torch.cat([layer(backend, "gaussian", 0.6)(x, part) for part in tiled.split(2)], dim=-1)
        else:
            y = layer(backend, "gaussian", 0.6)(x, tiled)
        (gradient,) = torch.autograd.grad(y.square().sum() / 8, tiled)
        one, two = gradient.reshape(count, -1).chunk(2)
        traces[backend] = 0.5 * (one - two).square().sum(1)
    mean, error = ({name: trace.mean() for name, trace in traces.items()}, traces["mask"].std() / (count / 2) ** 0.5)
    assert mean["reparameterized"] < mean["mask"] - 3 * error
    assert mean["flipout"] > mean["mask"] + 3 * error


@pytest.mark.parametrize("rho, expected", [(0.0, 50.0), (0.5, 17.1), (0.9, 3.2), (0.99, 1.2)])
def test_the_masks_worth_counting_in_a_sequence(rho: float, expected: float) -> None:
    """T / (1 + 2 sum_k (1 - k/T) rho^k): the variance of a mean over T positions is that of so many masks."""
    positions = 50
    effective = positions / (1 + 2 * sum((1 - k / positions) * rho**k for k in range(1, positions)))
    assert effective == pytest.approx(expected, abs=0.05)
    m = factors("kernel", "bernoulli", rho, 8000, positions)
    assert_mean((m.mean(1) - 1) ** 2, S2 / effective, slack=S2 * 2.0**-10)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 1.0])
def test_the_explicit_effect_of_a_loss_on_the_mean_grows_with_the_correlation(rho: float) -> None:
    """1/2 s^2 sum_tt' rho^|t-t'| sum_ij x_ti x_t'i W_ij^2 [H_tt']_jj, here of a quadratic loss, where it is exact."""
    positions, rate = 8, 0.01 / 1.01
    x, weight = 0.5 + torch.rand(positions, 6, dtype=DOUBLE), torch.randn(3, 6, dtype=DOUBLE)
    curve = torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)  # of the loss in the mean over time
    y = pernode_linear(x.expand(6000, -1, -1), weight, None, rate, share_time=rho, backend="kernel")
    shift = y.mean(1) - (x @ weight.T).mean(0)
    lags = (torch.arange(positions)[:, None] - torch.arange(positions)).abs()
    k = 0.01 * torch.einsum("tu,ti,ui,ji->j", torch.as_tensor(rho**lags, dtype=DOUBLE), x, x, weight**2)
    predicted = 0.5 * (k * curve).sum() / positions**2
    assert_mean(0.5 * (shift**2 * curve).sum(1), predicted, slack=float(predicted) * 1e-3)
    flat = 0.5 * (0.01 * torch.einsum("ti,ji->j", x**2, weight**2) * curve).sum() / positions**2
    assert bool(predicted / flat > 1.5) is (rho > 0)
