"""How a tile's bits are drawn for a probability: a few random words for most of it, and the rest as what is rare.

Digit by digit, a probability within 2^-13 takes up to 16 random words for each word of a tile. A probability of few
digits near it takes a few; what is missing are a few bits of a tile, which are set or cleared by themselves. The number
of hits is Poisson's, each is at any place: so every bit is hit independently of all others, and the law is exact.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pernodedrop.backends.cpu.tiles import DRAWS
from pernodedrop.backends.factors import Chain, Factors

MOST_WORDS = 12  # that are drawn for a word of a tile
# What they cost beside each other, measured in nanoseconds of a tile.
WORD, HITS, HIT = 8.5, 10.0, 1.4


class Draws(NamedTuple):
    """A bit is set with probability keep / 2^bits, and then hits set it or clear it; sigma is that of `Factors`."""

    keep: int
    bits: int
    hits: Any  # (N,) uint64: the distribution function of their number, from 0 on, in units of 2^-64; (0,): none
    clears: bool
    sigma: float


def of_tiles(factors: Factors | Chain) -> Draws | Chain:
    """How the factors are drawn; a chain is drawn as it is."""
    return factors if isinstance(factors, Chain) else _chosen(*factors)


@lru_cache(maxsize=256)
def _chosen(keep: int, bits: int, sigma: float) -> Draws:
    """The cheapest way to keep / 2^bits, whose law is met within the rounding of float64."""
    no_hits = np.empty(0, np.uint64)
    if bits <= 2:  # bits = 0 stands for certainty
        return Draws(keep, bits, no_hits, False, sigma)
    ways = [(bits * WORD, Draws(keep, bits, no_hits, False, sigma))]
    for digits in range(min(bits, MOST_WORDS + 1)):
        below = keep >> (bits - digits)
        for near, clears in ((below, False), (below + 1, True)):
            if digits and near in (0, 2**digits):
                continue  # which takes no digit
            mean = _mean_hits(keep, near << (bits - digits), 2**bits)
            price = digits * WORD + HITS + mean * HIT
            if price < ways[0][0]:
                ways = [(price, Draws(near, digits, _distribution(mean), clears, sigma))]
    return ways[0][1]


def _mean_hits(keep: int, near: int, whole: int) -> float:
    """Of a tile, so that near / whole becomes keep / whole: hits set bits, or clear them where there are too many."""
    change = (keep - near) / (whole - near) if keep > near else (near - keep) / near
    return -DRAWS * math.log1p(-change)


def _distribution(mean: float) -> Any:
    """Poisson's distribution function in units of 2^-64, as far as float64 tells it from 1."""
    chance = reached = math.exp(-mean)
    values: list[int] = []
    while reached < 1.0 and (chance > 2.0**-60 or len(values) < mean):
        values.append(int(reached * 2.0**64))
        chance *= mean / len(values)
        reached += chance
    return np.array(values, np.uint64)
