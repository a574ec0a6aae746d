"""How the CPU kernel makes normal numbers: each step against float64, and their law in body, tails and pairs."""

import math

import numpy as np
import pytest
from scipy import stats

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.draws import Draws, of_tiles
from pernodedrop.backends.cpu.lanes import bit_and, load, splat, store
from pernodedrop.backends.cpu.normals import PAIRS, distances, on_circle
from pernodedrop.backends.cpu.tiles import WORDS
from pernodedrop.backends.factors import quantized
from tests.layers.tiles import tiles_of

UNIT = math.sqrt(2.0**-22 * math.log(2.0))
TILES = 1024
STANDARD_ERRORS = 5.0
DISTANCE, POINT = 4e-7, 2.5e-7  # a distance is within 2e-7 where products and sums are fused
_SIGN = np.uint32(0x80000000)


@compiled
def _steps(words: np.ndarray, distance: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    for at in range(0, words.shape[0], PAIRS):
        random = load(words, at, PAIRS)
        cosine, sine = on_circle(random, bit_and(random, splat(_SIGN, PAIRS)))
        store(distance, at, distances(random))
        store(x, at, cosine)
        store(y, at, sine)


def drawn(share: float, key: int) -> np.ndarray:
    """The noise m - 1 of (TILES, DRAWS) factors, of which a share is N(1, 1) and the others are 1."""
    draws = of_tiles(quantized(share, sigma=1.0))
    assert isinstance(draws, Draws)
    return tiles_of(draws, key, TILES, normal=True).astype(np.float64) - 1.0


def test_every_step_is_accurate_to_single_precision() -> None:
    ends = np.arange(1 << 16, dtype=np.uint32)
    random = np.random.default_rng(0).integers(0, 1 << 32, 1 << 19, dtype=np.uint32)
    words = np.concatenate([random, ends, ~ends, _SIGN + ends, _SIGN - np.uint32(1) - ends])
    distance, x, y = (np.empty(words.size, np.float32) for _ in range(3))
    _steps(words, distance, x, y)
    distance, x, y = (made.astype(np.float64) for made in (distance, x, y))
    u = np.abs((words | np.uint32(1)).view(np.int32).astype(np.float32)).astype(np.float64) * 2.0**-31
    np.testing.assert_allclose(distance * UNIT, np.sqrt(-2.0 * np.log(u)), rtol=DISTANCE)
    angle = words.view(np.int32) * (math.pi / 2.0 * 2.0**-31)
    np.testing.assert_allclose(x / UNIT, np.where(words >= _SIGN, -1.0, 1.0) * np.cos(angle), rtol=0.0, atol=POINT)
    np.testing.assert_allclose(y / UNIT, np.sin(angle), rtol=POINT)
    assert distance.max() * UNIT > 6.55


def test_body_tails_and_moments_are_those_of_the_normal_law() -> None:
    m = drawn(1.0, key=3).ravel()
    edges = stats.norm.ppf(np.linspace(0.0, 1.0, 257))
    assert stats.chisquare(np.histogram(m, edges)[0]).pvalue > 1e-6
    for limit in (2.0, 3.0, 4.0, 4.5, 5.0):
        for side in (m, -m):
            expected = m.size * stats.norm.sf(limit)
            assert abs((side > limit).sum() - expected) < STANDARD_ERRORS * math.sqrt(expected) + 1.0, limit
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)):
        spread = math.sqrt(math.prod(range(1, 2 * power, 2)) - moment**2)
        assert abs((m**power).mean() - moment) < STANDARD_ERRORS * spread / math.sqrt(m.size), power


def test_the_two_of_a_pair_are_independent() -> None:
    blocks = drawn(1.0, key=5).reshape(-1, 2, WORDS)
    x, y = blocks[:, 0].ravel(), blocks[:, 1].ravel()
    cells = stats.norm.ppf(np.linspace(0.0, 1.0, 17))
    assert stats.chisquare(np.histogram2d(x, y, [cells, cells])[0].ravel()).pvalue > 1e-6
    turn = np.arctan2(y, x) / (2.0 * math.pi) + 0.5
    assert stats.chisquare(np.histogram(turn, 256, (0.0, 1.0))[0]).pvalue > 1e-6
    for a, b in ((x, y), (x**2 - 1.0, y**2 - 1.0), (np.abs(x), np.sign(y))):
        product = (a - a.mean()) * b
        assert abs(product.mean()) < STANDARD_ERRORS * product.std() / math.sqrt(x.size)


@pytest.mark.parametrize("share", [0.5, 0.3, 0.01])
def test_a_share_of_the_factors_is_normal(share: float) -> None:
    m = drawn(share, key=7)
    is_normal = m != 0.0
    error = math.sqrt(share * (1.0 - share) / m.size)
    assert abs(is_normal.mean() - quantized(share).probability) < STANDARD_ERRORS * error
    assert stats.kstest(m[is_normal], "norm").pvalue > 1e-6
