"""The GPU's passes for masks of 0 and 1 where every sample has one position; through Triton's interpreter on a CPU."""

from functools import cache

import numpy as np
import pytest
import torch

from tests.layers.evidence import assert_mean
from tests.layers.philox import philox

pytest.importorskip("triton", reason="triton is not installed: it comes with torch's CUDA wheels")

from pernodedrop.backends import gpu
from pernodedrop.backends.factors import Factors
from pernodedrop.backends.gpu import passes
from pernodedrop.backends.gpu.tiles import Tile

SEED = 123_456_789_012
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = (5, 72, 18)  # samples, connections, units: multiples of no tile
TILES = (None, Tile(2, 8), Tile(4, 32, warps=8))
FACTORS = [
    Factors(1, 1),
    Factors(5, 3),
    Factors(255, 8),
    Factors(11469, 14),
    Factors(5243, 19),
    Factors(3, 32),
    Factors(2**32 - 3, 32),
]


def seed() -> torch.Tensor:
    return torch.tensor([SEED], device=DEVICE)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, device=DEVICE)


@cache
def masks(factors: Factors, samples: int, connections: int, units: int) -> torch.Tensor:
    """The factors (samples, units, connections), read off the weight's gradients of one sample each."""
    x, weight = torch.ones(samples, 1, connections, device=DEVICE), normal(units, connections)
    rows = torch.eye(samples, device=DEVICE)[:, :, None, None].expand(-1, -1, 1, units)
    return torch.stack([gpu.gradients(row, x, weight, seed(), factors)[1] for row in rows])


def expected(factors: Factors, samples: int, connections: int, units: int) -> np.ndarray:
    """The same, decided number by number in Python from Philox's words: see `quads`."""

    def words(call: int) -> np.ndarray:
        groups, quads = -(-connections // 32), -(-units // 4)
        counter = (np.arange(groups)[None, None], np.arange(quads)[None, :, None], np.arange(samples)[:, None, None])
        drawn = philox(SEED, (*(word.astype(np.uint32) for word in counter), np.uint32(call)))
        return np.stack(drawn, 2).reshape(samples, 4 * quads, groups)

    keep, digits = factors.keep << (32 - factors.bits), min(factors.bits, 8)
    lanes = np.arange(32, dtype=np.uint32)
    planes = np.stack([(words(call)[..., None] >> lanes) & 1 for call in range(digits)])
    first = np.tensordot(2 ** np.arange(digits)[::-1], planes.astype(np.int64), 1)
    kept, tied = first < keep >> (32 - digits), first == keep >> (32 - digits)
    rest, call = keep << digits & 0xFFFFFFFF, digits
    while rest and tied.any():  # the lowest of each word takes the next call's word
        drawn = words(call)
        for place in np.argwhere(tied.any(-1)):
            lane = tied[tuple(place)].argmax()
            kept[(*place, lane)] = drawn[tuple(place)] < rest
            tied[(*place, lane)] = False
        call += 1
    return kept.reshape(samples, -1, kept.shape[2] * 32)[:, :units, :connections].astype(np.float32)


@pytest.mark.parametrize("factors", FACTORS, ids=str)
def test_decisions_are_those_that_the_law_s_words_make(factors: Factors) -> None:
    np.testing.assert_array_equal(masks(factors, *SIZES).cpu().numpy(), expected(factors, *SIZES))


@pytest.mark.wide
@pytest.mark.parametrize("factors", [FACTORS[0], FACTORS[4]], ids=str)
@pytest.mark.parametrize("programs", [1, 64])
def test_both_passes_have_one_mask_in_every_tile_and_cut(
    factors: Factors, programs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "GRADIENTS_PROGRAMS", programs)  # 1: x's gradient grows from tile to tile of units
    monkeypatch.setattr(passes, "LEAST_EACH", 1 if programs > 1 else 4)
    samples, connections, units = SIZES
    m = masks(factors, *SIZES)
    x, weight, g = normal(samples, 1, connections), normal(units, connections), normal(samples, 1, units)
    close = {"rtol": 1e-4, "atol": 1e-4}
    for tile in TILES:
        y = gpu.product(x, weight, seed(), factors, tile=tile)
        grad_x, grad_weight = gpu.gradients(g, x, weight, seed(), factors, tile=tile)
        torch.testing.assert_close(y, torch.einsum("bti,bji,ji->btj", x, m, weight), **close)
        torch.testing.assert_close(grad_x, torch.einsum("btj,bji,ji->bti", g, m, weight), **close)
        torch.testing.assert_close(grad_weight, torch.einsum("btj,bji,bti->ji", g, m, x), **close)


@pytest.mark.parametrize(
    "factors", [Factors(1, 1), Factors(11469, 14), pytest.param(Factors(5243, 19), marks=pytest.mark.wide)], ids=str
)
def test_rates_are_met_and_neighbours_are_independent(factors: Factors) -> None:
    """Of samples, units and connections that share a call, a word or neither."""
    m = masks(factors, 4, 256, 64).double().cpu()
    assert_mean(m.flatten(), factors.probability)
    noise = m - factors.probability
    spread = factors.probability * (1.0 - factors.probability)
    pairs = {
        "samples": (noise[1:], noise[:-1]),
        "units of a call": (noise[:, 1::4], noise[:, ::4]),
        "units of two calls": (noise[:, 4:], noise[:, :-4]),
        "connections of a word": (noise[..., 1:], noise[..., :-1]),
        "connections of two words": (noise[..., 32:], noise[..., :-32]),
    }
    for name, (one, other) in pairs.items():
        assert abs(float((one * other).mean()) / spread) < 5 / one.numel() ** 0.5, name


def test_ties_of_one_word_are_decided_apart() -> None:
    """Of 2,048 words some have two ties and more, and a factor can be 1 here by a tie alone."""
    factors = Factors(2**16 + 1, 26)  # its first nine digits are 0
    m = masks(factors, 4, 256, 64).cpu()
    assert_mean(m.double().flatten(), factors.probability)
    np.testing.assert_array_equal(m.numpy(), expected(factors, 4, 256, 64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_in_single(dtype: torch.dtype) -> None:
    factors, (samples, connections, units) = Factors(11469, 14), SIZES
    x, weight = normal(samples, 1, connections).to(dtype), normal(units, connections).to(dtype)
    g = normal(samples, 1, units).to(dtype)
    half = (gpu.product(x, weight, seed(), factors), *gpu.gradients(g, x, weight, seed(), factors))
    x, weight, g = x.float(), weight.float(), g.float()
    single = (gpu.product(x, weight, seed(), factors), *gpu.gradients(g, x, weight, seed(), factors))
    for mine, its in zip(half, single, strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine, its.to(dtype))


@pytest.mark.parametrize("empty", [(0, 32, 8), (3, 0, 8), (3, 32, 0)], ids=str)
def test_nothing_gives_zeros_of_the_right_shapes(empty: tuple[int, int, int]) -> None:
    samples, connections, units = empty
    x, weight, g = normal(samples, 1, connections), normal(units, connections), normal(samples, 1, units)
    y = gpu.product(x, weight, seed(), Factors(1, 1))
    grad_x, grad_weight = gpu.gradients(g, x, weight, seed(), Factors(1, 1))
    assert (y.shape, grad_x.shape, grad_weight.shape) == (g.shape, x.shape, weight.shape)
    assert not any(tensor.any() for tensor in (y, grad_x, grad_weight))


@pytest.mark.parametrize("samples, units", [(16, 4), (8, 1), (128, 64), (1, 70), (3, 4096)])
@pytest.mark.parametrize("groups", [1, 32, 400])
def test_a_cut_covers_every_tile_once(samples: int, units: int, groups: int) -> None:
    cut = passes._cut(samples, units, groups, 8 * samples, 64 * units)
    assert (cut.splits - 1) * cut.tiles < units <= cut.splits * cut.tiles
    assert (cut.parts - 1) * cut.each < samples <= cut.parts * cut.each
