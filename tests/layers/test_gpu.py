"""The Triton kernels: on a GPU where there is one, else through Triton's interpreter."""

import numpy as np
import pytest
import torch

from tests.layers.evidence import assert_mean
from tests.layers.philox import philox

pytest.importorskip("triton", reason="triton is not installed: it comes with torch's CUDA wheels")

from pernodedrop.backends import gpu
from pernodedrop.backends.factors import Chain, Factors, chained
from pernodedrop.backends.gpu.tiles import TILE, Tile

SEED = 123_456_789_012
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FACTORS = [
    Factors(1, 0),
    Factors(1, 1),
    Factors(11469, 14),
    Factors(5243, 19),
    Factors(1, 0, sigma=1.0),
    Factors(3, 2, sigma=0.5),
]


def seed() -> torch.Tensor:
    return torch.tensor([SEED], device=DEVICE)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, device=DEVICE)


def masks(factors: Factors, samples: int, units: int, connections: int, tile: Tile = TILE) -> torch.Tensor:
    """The factors (samples, units, connections), read off unit inputs and unit weights."""
    eye = torch.eye(connections, device=DEVICE).expand(samples, connections, connections)
    return gpu.product(eye, torch.ones(units, connections, device=DEVICE), seed(), factors, tile=tile).transpose(1, 2)


def random_words(samples: int, units: int, groups: int, calls: range) -> np.ndarray:
    """Philox's words (samples, units, groups, 4 * calls), by the counters that the kernels' docstring names."""
    group, unit, sample = np.arange(groups), np.arange(units), np.arange(samples)
    counter = (group[None, None, :, None], unit[None, :, None, None], sample[:, None, None, None], np.array(calls))
    words = philox(SEED, tuple(word.astype(np.uint32) for word in counter))
    return np.stack(words, axis=-1).reshape(samples, units, groups, -1)


@pytest.mark.parametrize(
    "factors",
    [Factors(1, 1), Factors(5, 3), Factors(11469, 14), Factors(65_535, 16), Factors(5243, 19), Factors(3, 32)],
)
def test_decisions_are_philox_s_words_compared_with_the_probability(factors: Factors) -> None:
    """Bit i of word 4 c + k is a binary digit of connection i's random number; it is kept below keep / 2^bits."""
    keep, bits, _ = factors
    calls = -(-bits // 4) if bits <= 16 else 8
    words = random_words(2, 3, 2, range(calls))
    digits = (~words[..., None, :] >> np.arange(32)[:, None]) & 1
    numbers = (digits.astype(np.uint64) << np.arange(4 * calls, dtype=np.uint64)).sum(-1)
    kept = numbers < np.uint64(keep << (4 * calls - bits))
    np.testing.assert_array_equal(masks(factors, 2, 3, 64).cpu().numpy(), kept.reshape(2, 3, 64))


def test_normals_are_box_and_muller_s() -> None:
    words = random_words(2, 3, 1, range(8, 16)).reshape(2, 3, 8, 4).view(np.int32).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log(np.where(words < 0, ~words.astype(np.int64), words)[..., ::2] * 2.0**-31))
    angle = 2.0 * np.pi * words[..., 1::2] * 2.0**-32
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)  # (2, 3, call, pair, 2)
    expected = pairs.reshape(2, 3, 8, 4).transpose(0, 1, 3, 2).reshape(2, 3, 32)
    order = np.sort(expected.reshape(2, 3, 32), axis=-1)
    mine = np.sort(masks(Factors(1, 0, sigma=1.0), 2, 3, 32).cpu().numpy(), axis=-1)
    np.testing.assert_allclose(mine, 1.0 + order, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "factors", [pytest.param(Factors(5243, 19), marks=pytest.mark.wide), Factors(3, 2, sigma=0.5)], ids=str
)
@pytest.mark.parametrize("positions", [pytest.param(1, marks=pytest.mark.wide), 3])
def test_tiles_change_no_factor(factors: Factors, positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do sums that are cut into parts: only the order of the additions differs."""
    x, weight, g = normal(3, positions, 72), normal(18, 72), normal(3, positions, 18)
    outcomes = []
    for tile, programs in ((TILE, 1), (Tile(4, 32, 16, 8), 1), (Tile(2, 8, 64, 4), 1024)):
        monkeypatch.setattr(gpu, "PROGRAMS", programs)  # 1: no sum is cut
        outcomes.append(
            (
                gpu.product(x, weight, seed(), factors, tile=tile),
                *gpu.gradients(g, x, weight, seed(), factors, tile=tile),
            )
        )
    for other in outcomes[1:]:
        for mine, theirs in zip(outcomes[0], other, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


# Single positions with factors of 0 and 1 have masks drawn in another way: see test_gpu_bernoulli.py.
@pytest.mark.parametrize(
    "factors, sizes",
    [(factors, (2, 18, 40, 5)) for factors in FACTORS]
    + [(factors, (2, 1, 140, 18)) for factors in FACTORS if factors.is_normal or not factors.bits],
    ids=str,
)
def test_products_and_gradients_share_their_factors(factors: Factors, sizes: tuple[int, ...]) -> None:
    samples, positions, connections, units = sizes
    x, weight, g = (
        normal(samples, positions, connections),
        normal(units, connections),
        normal(samples, positions, units),
    )
    m = masks(factors, samples, units, connections)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(
        gpu.product(x, weight, seed(), factors), torch.einsum("bti,bji,ji->btj", x, m, weight), **close
    )
    grad_x, grad_weight = gpu.gradients(g, x, weight, seed(), factors)
    torch.testing.assert_close(grad_x, torch.einsum("btj,bji,ji->bti", g, m, weight), **close)
    torch.testing.assert_close(grad_weight, torch.einsum("btj,bji,bti->ji", g, m, x), **close)


@pytest.mark.parametrize("factors", FACTORS[1:], ids=str)
def test_moments(factors: Factors) -> None:
    m, r = masks(factors, 2, 32, 128).flatten().cpu(), factors.probability
    if factors.is_normal:
        n = (m.double() - 1.0) / factors.sigma
        assert_mean(n, 0.0)
        assert_mean(n**2, r)
        assert_mean(n**4, 3 * r)
    else:
        for power in (1, 2, 4):
            assert_mean(m**power, r)
    noise = m.double() - m.double().mean()
    for lag in (1, 128):
        correlation = float((noise[lag:] * noise[:-lag]).mean() / noise.var())
        assert abs(correlation) < 5 / noise.numel() ** 0.5


def test_seeds_and_samples_differ() -> None:
    m = masks(Factors(1, 1), 2, 8, 128)
    assert not torch.equal(m[0], m[1])
    x, weight = normal(2, 1, 128), normal(8, 128)
    a = gpu.product(x, weight, seed(), Factors(1, 1))
    assert torch.equal(a, gpu.product(x, weight, seed(), Factors(1, 1)))
    assert not torch.equal(a, gpu.product(x, weight, seed() + 1, Factors(1, 1)))


def test_empty_batch_and_half_precision() -> None:
    weight = normal(8, 32).bfloat16()
    assert gpu.product(normal(0, 1, 32).bfloat16(), weight, seed(), Factors(1, 1)).shape == (0, 1, 8)
    x = normal(3, 1, 32).bfloat16()
    grad_x, grad_weight = gpu.gradients(normal(3, 1, 8).bfloat16(), x, weight, seed(), Factors(1, 1))
    assert grad_x.dtype == grad_weight.dtype == torch.bfloat16


def chain_of(chain: Chain, samples: int, units: int, groups: int, steps: int) -> torch.Tensor:
    """The chain's factors (samples, steps, units, 32 groups), by the words of the counters: 16 calls a position."""

    def decided(keep: int, bits: int, first: int) -> np.ndarray:
        calls = -(-bits // 4) if bits <= 16 else 8
        if bits == 0:
            return np.ones((samples, units, groups, 32), dtype=bool)
        words = random_words(samples, units, groups, range(first, first + calls))
        digits = (~words[..., None, :] >> np.arange(32)[:, None]) & 1
        numbers = (digits.astype(np.uint64) << np.arange(4 * calls, dtype=np.uint64)).sum(-1)
        return numbers < np.uint64(keep << (4 * calls - bits))

    kept = [decided(chain.keep, chain.bits, 0)]
    for step in range(1, steps):
        copied = decided(chain.copies, chain.copy_bits, 16 * step)
        fresh = decided(chain.fresh, chain.fresh_bits, 16 * step + 8)
        kept.append(np.where(copied, kept[-1] ^ chain.alternates, fresh))
    return torch.tensor(np.stack(kept, 1).reshape(samples, steps, units, -1), dtype=torch.float32, device=DEVICE)


@pytest.mark.parametrize("chain", [chained(0.5, -0.5, 2), chained(0.75, 0.99, 1)], ids=str)
def test_factors_that_change_over_time(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Product and gradients walk the same chain; tiles, and sums that are cut, change the order of additions alone."""
    samples, steps, connections, units = 2, 2, 33, 5
    m = chain_of(chain, samples, units, 2, steps)[..., :connections].repeat_interleave(chain.rows, 1)
    x, weight = normal(samples, m.shape[1], connections), normal(units, connections)
    g = normal(samples, m.shape[1], units)
    expected = (
        torch.einsum("bti,btji,ji->btj", x, m, weight),
        torch.einsum("btj,btji,ji->bti", g, m, weight),
        torch.einsum("btj,btji,bti->ji", g, m, x),
    )
    for tile, least in ((Tile(2, 4, 16, 4), 4), (Tile(2, 8, 16, 4), 1))[: chain.rows]:
        monkeypatch.setattr(gpu, "LEAST_EACH", least)  # 1: the product is cut
        y = gpu.product(x, weight, seed(), chain, tile=tile)
        for mine, theirs in zip((y, *gpu.gradients(g, x, weight, seed(), chain, tile=tile)), expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_half_precision_over_time_sums_in_single() -> None:
    x, weight, chain = normal(1, 2, 70).bfloat16(), normal(4, 70).bfloat16(), chained(0.5, 0.5, 1)
    y = gpu.product(x, weight, seed(), chain)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, gpu.product(x.float(), weight.float(), seed(), chain).bfloat16())
