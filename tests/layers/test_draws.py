"""How the CPU kernel draws its bits: the probability that is asked for, each bit by itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pernodedrop.backends.cpu.draws import Draws, of_tiles
from pernodedrop.backends.cpu.tiles import DRAWS
from pernodedrop.backends.factors import quantized
from tests.layers.tiles import tiles_of

TILES = 1000
STANDARD_ERRORS = 5.0


def bits_at(rate: float, key: int) -> np.ndarray:
    """(TILES, DRAWS) bits that are kept with probability 1 - rate."""
    draws = of_tiles(quantized(1.0 - rate))
    assert isinstance(draws, Draws)
    tiles = tiles_of(draws, key, TILES, normal=False)
    return np.unpackbits(tiles.view(np.uint8), axis=1, bitorder="little")


@given(keep=st.floats(2.0**-30, 1.0 - 2.0**-30))
def test_digits_and_hits_make_the_probability(keep: float) -> None:
    factors = quantized(keep)
    draws = of_tiles(factors)
    assert isinstance(draws, Draws)
    near = draws.keep / 2.0**draws.bits
    mean = _mean(draws)
    missed = math.exp(-mean / DRAWS)  # the probability that a bit is not hit
    met = near * missed if draws.clears else 1.0 - (1.0 - near) * missed
    assert met == pytest.approx(factors.probability, rel=1e-9, abs=1e-12)


def _mean(draws: Draws) -> float:
    """The mean of the number of hits, from its distribution function."""
    reached = draws.hits.astype(np.float64) / 2.0**64
    return float((1.0 - reached).sum())


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.4, 0.9, 0.001, 0.97])
def test_the_number_of_hits_is_poisson_s(rate: float) -> None:
    draws = of_tiles(quantized(1.0 - rate))
    assert isinstance(draws, Draws)
    numbers = np.arange(len(draws.hits))
    expected = stats.poisson.cdf(numbers, _mean(draws))
    np.testing.assert_allclose(draws.hits.astype(np.float64) / 2.0**64, expected, atol=1e-12)
    assert expected[-1] > 1.0 - 2.0**-40


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.002, 0.998])
def test_every_bit_is_drawn_by_itself_at_its_rate(rate: float) -> None:
    """The rate, its spread over tiles and over places, and pairs of bits: near, far, and from tile to tile."""
    kept = quantized(1.0 - rate).probability
    bits = bits_at(rate, key=7)
    error = math.sqrt(kept * (1.0 - kept) / bits.size)
    assert abs(bits.mean() - kept) < STANDARD_ERRORS * error
    # Sums over independent bits are binomial: their variance tells clumps from none.
    for sums, number in ((bits.sum(1, dtype=np.int64), DRAWS), (bits.sum(0, dtype=np.int64), TILES)):
        spread = np.mean((sums - number * kept) ** 2) / (number * kept * (1.0 - kept))
        kurtosis = 3.0 + (1.0 - 6.0 * kept * (1.0 - kept)) / (number * kept * (1.0 - kept))
        assert abs(spread - 1.0) < STANDARD_ERRORS * math.sqrt((kurtosis - 1.0) / len(sums))
    centred = bits.astype(np.float32) - kept
    for step in (1, 31, 32, 63, 64, 2048):
        within = float(np.mean(centred[:, step:] * centred[:, :-step], dtype=np.float64))
        assert abs(within) < STANDARD_ERRORS * kept * (1.0 - kept) / math.sqrt(centred[:, step:].size)
    between = float(np.mean(centred[1:] * centred[:-1], dtype=np.float64))
    assert abs(between) < STANDARD_ERRORS * kept * (1.0 - kept) / math.sqrt(centred[1:].size)
