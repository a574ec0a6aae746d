"""The noise itself: exact moments, limits and refusals."""

import math

import pytest
import torch
from scipy import stats as scipy_stats

from pernodedrop import Stir
from pernodedrop.backends.drawn import drawn
from pernodedrop.backends.factors import Factors, quantized
from pernodedrop.backends.stirred_product import stirred_product
from pernodedrop.functional import sample_mask
from pernodedrop.laws import check_mean
from tests.layers.evidence import assert_mean

DRAWS = 400_000

LAWS = [
    Stir(0.1),
    Stir(0.5),
    Stir(0.8),
    Stir(0.3, "gaussian"),
    Stir(0.5, "gaussian"),
    Stir(0.5, "partial_gaussian", 0.25),
    Stir(0.5, "partial_gaussian", 1.0),
]


def kurtosis(stir: Stir) -> float:
    """E (m - 1)^4 / Var[m]^2."""
    p = stir.drop_rate
    match stir.name:
        case "bernoulli":
            return (1 - 3 * p * (1 - p)) / (p * (1 - p))
        case "gaussian":
            return 3.0
        case _:
            return 3.0 / stir.noisy_fraction


def drawn_by_kernel(stir: Stir) -> torch.Tensor:
    """The kernel's factors, read off unit inputs and unit weights."""
    samples, units, connections = 16, 125, 200
    eye = torch.eye(connections, dtype=torch.float64).expand(samples, connections, connections)
    ones = torch.ones(units, connections, dtype=torch.float64)
    seed = torch.tensor([7])
    scale = math.sqrt(stir.drop_rate / (1 - stir.drop_rate))
    if stir.name == "bernoulli":
        keep, met = drawn(1 - stir.drop_rate)
        return stirred_product(eye, ones, seed, keep).flatten() / met
    noisy, _ = drawn(stir.noisy_fraction if stir.name == "partial_gaussian" else 1.0, sigma=scale)
    return stirred_product(eye, ones, seed, noisy).flatten()


@pytest.mark.parametrize("source", ["reference", "kernel"])
@pytest.mark.parametrize("stir", LAWS, ids=str)
def test_moments(stir: Stir, source: str) -> None:
    generator = torch.Generator().manual_seed(3)
    if source == "kernel":
        m = drawn_by_kernel(stir)
        assert m.numel() == DRAWS
    else:
        m = stir.draw((DRAWS,), generator=generator, dtype=torch.float64)
    slack = 2.0**-10 if source == "kernel" else 0.0  # the kernel's rates are met within 2^-13 of themselves
    assert_mean(m, 1.0)
    assert_mean((m - 1) ** 2, stir.variance, slack * stir.variance)
    assert_mean((m - 1) ** 4 / stir.variance**2, kurtosis(stir), slack * kurtosis(stir))


def test_kernel_normals_are_normal() -> None:
    m = drawn_by_kernel(Stir(0.5, "gaussian"))
    test = scipy_stats.kstest((m - 1).numpy(), "norm")
    assert test.pvalue > 1e-6, test


@pytest.mark.parametrize("lag", [1, 32, 200, 200 * 125])
def test_kernel_draws_are_uncorrelated(lag: int) -> None:
    for stir in (Stir(0.4), Stir(0.5, "gaussian")):
        noise = drawn_by_kernel(stir) - 1
        assert_mean(noise[lag:] * noise[:-lag], 0.0)


def test_rate_zero_is_exactly_one() -> None:
    for stir_type in ("bernoulli", "gaussian", "partial_gaussian"):
        assert torch.equal(sample_mask((5, 3), 0.0, stir_type), torch.ones(5, 3))
    assert torch.equal(sample_mask((5, 3), 0.5, "partial_gaussian", noisy_fraction=0.0), torch.ones(5, 3))


def test_rate_near_one_keeps_the_mean() -> None:
    assert_mean(sample_mask((DRAWS,), 0.999, dtype=torch.float64), 1.0)
    assert drawn_by_kernel(Stir(0.999)).unique().tolist()[0] == 0.0
    assert_mean(drawn_by_kernel(Stir(0.999)), 1.0)


@pytest.mark.parametrize("probability", [1e-12, 1e-4, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9999, 1.0 - 1e-12, 1.0])
def test_quantized_probability_meets_the_rarer_outcome(probability: float) -> None:
    met = quantized(probability)
    assert 0 <= met.bits <= 32
    assert 0.0 < met.probability <= 1.0
    rarer = max(min(probability, 1 - probability), 2.0**-32)
    assert abs(met.probability - probability) <= max(rarer * 2.0**-12, 2.0**-32)


def test_quantized_takes_few_bits() -> None:
    assert quantized(0.5) == (1, 1, 0.0)
    assert quantized(0.75) == (3, 2, 0.0)
    assert quantized(1.0) == (1, 0, 0.0)


@pytest.mark.parametrize("factors", [quantized(0.3), quantized(0.3, sigma=0.7), quantized(1.0)])
def test_factors_reach_the_operators_as_a_tensor(factors: Factors) -> None:
    assert Factors.from_tensor(factors.as_tensor()) == factors


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, math.nan, math.inf])
def test_rate_outside_its_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"drop_rate must lie in \[0, 1\), got"):
        Stir(rate)


def test_other_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"noisy_fraction must lie in \[0, 1\], got 1.2"):
        Stir(0.5, "partial_gaussian", 1.2)
    with pytest.raises(ValueError, match=r"stir_type must be one of .* got 'cauchy'"):
        Stir(0.5, "cauchy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass the callable"):
        Stir(0.5, "custom")


def test_custom_stir_must_have_mean_one() -> None:
    def fair(shape, *, generator, dtype, device):
        return 2 * torch.rand(shape, generator=generator, dtype=dtype, device=device)

    def unfair(shape, *, generator, dtype, device):
        return torch.rand(shape, generator=generator, dtype=dtype, device=device)

    check_mean(fair)
    with pytest.raises(ValueError, match=r"must have mean 1, got 0\.50"):
        check_mean(unfair)
    with pytest.raises(ValueError, match="must return the shape"):
        check_mean(lambda shape, **_: torch.ones(3))
