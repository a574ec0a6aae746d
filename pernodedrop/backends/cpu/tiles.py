"""Random factors by the tile: 4096 of them, a pure function of a 64-bit key and a place in its sequence.

Two steps of the generators give 4096 random bits; n times as many, combined by AND and OR along the n bits of a
probability, give 4096 Bernoulli draws. What is missing from it to the keep probability is rare, and is drawn by itself:
see `draws`.
"""

from typing import Any

import numpy as np
from numba import uint32, uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.generators import (
    OUTPUTS,
    SIDE_BY_SIDE,
    load_state,
    next_rare,
    next_words,
    store_state,
)
from pernodedrop.backends.cpu.lanes import WORD_LANES, bit_and, bit_or, splat, store

WORDS = 64  # of 64 bits
DRAWS = WORDS * 64

_MANTISSA = uint32(0x007FFFFF)
_ONE = uint32(0x3F800000)


@compiled
def draw_bits(state: Any, words: Any, start: int, keep: Any, bits: Any) -> None:
    """Sets each bit of words[start : start + 64] with probability keep / 2^bits; where bits is 0, all, or none where
    keep is 0."""
    constant = splat(uint64(0) if bits or not keep else ~uint64(0), WORD_LANES)
    for first in range(start, start + WORDS, OUTPUTS * SIDE_BY_SIDE):
        for lane in range(0, SIDE_BY_SIDE, WORD_LANES):
            values = load_state(state, lane)
            a, b, c, d = constant, constant, constant, constant
            for place in range(bits):
                words_of_step, values = next_words(values)
                e, f, g, h = words_of_step
                # from the probability's last binary place to its first
                if (uint64(keep) >> uint64(place)) & uint64(1):
                    a, b, c, d = bit_or(a, e), bit_or(b, f), bit_or(c, g), bit_or(d, h)
                else:
                    a, b, c, d = bit_and(a, e), bit_and(b, f), bit_and(c, g), bit_and(d, h)
            store_state(state, lane, values)
            at = first + lane
            store(words, at, a)
            store(words, at + SIDE_BY_SIDE, b)
            store(words, at + 2 * SIDE_BY_SIDE, c)
            store(words, at + 3 * SIDE_BY_SIDE, d)


@compiled
def change_few(state: Any, words: Any, start: int, hits: Any, clears: Any) -> None:
    """Hits bits of words[start : start + 64] at random places, each hit anywhere, and sets or clears them.

    The number of hits has the distribution function `hits`, in units of 2^-64: where it is Poisson's with mean
    4096 a, every bit is hit with probability 1 - exp(-a) and independently of all others.
    """
    random = next_rare(state)
    number = 0
    while number < hits.shape[0] and random >= hits[number]:
        number += 1
    while number > 0:
        places = next_rare(state) >> uint64(4)
        for _ in range(min(number, 5)):  # of 12 bits each
            bit = uint64(1) << (places & uint64(63))
            word = start + ((places >> uint64(6)) & uint64(63))
            if clears:
                words[word] &= ~bit
            else:
                words[word] |= bit
            places >>= uint64(12)
        number -= 5


@compiled
def draw_normals(state: Any, words: Any, tile: Any, bits32: Any) -> None:
    """Fills tile (4096,) with N(0, 1) by Box and Muller (1958), accurate to single precision."""
    halves = words.view(np.uint32)
    bits = bits32.view(np.uint32)
    mantissas = bits.view(np.float32)
    for step in range(DRAWS // (2 * WORDS)):
        draw_bits(state, words, 0, uint64(1), 1)
        for pair in range(WORDS):
            # u in (0, 1): its exponent by the float's own bits, its logarithm by atanh's series
            u = (np.float32(halves[pair]) + np.float32(0.5)) * np.float32(2.0**-32)
            mantissas[pair] = u
        for pair in range(WORDS):
            exponent = np.float32(np.int32(bits[pair] >> uint32(23)) - np.int32(127))
            bits[pair] = (bits[pair] & _MANTISSA) | _ONE
            m = mantissas[pair] * np.float32(0.70710678)
            s = (m - np.float32(1.0)) / (m + np.float32(1.0))
            q = s * s
            series = np.float32(1 / 7) + q * np.float32(1 / 9)
            series = np.float32(1 / 3) + q * (np.float32(1 / 5) + q * series)
            log = (exponent + np.float32(0.5)) * np.float32(0.69314718) + np.float32(2.0) * (s + s * q * series)
            radius = np.sqrt(max(np.float32(-2.0) * log, np.float32(0.0)))
            # an angle within an eighth of a turn, then one of four quarter turns
            turn = halves[WORDS + pair]
            angle = np.float32(np.int32(turn)) * np.float32(0.78539816 * 2.0**-31)
            q = angle * angle
            cos = np.float32(1 / 24) - q * (np.float32(1 / 720) - q * np.float32(1 / 40320))
            cos = np.float32(1.0) - q * (np.float32(0.5) - q * cos)
            sin = np.float32(1 / 120) - q * np.float32(1 / 5040)
            sin = angle * (np.float32(1.0) - q * (np.float32(1 / 6) - q * sin))
            if turn & uint32(1):
                cos, sin = -sin, cos
            if turn & uint32(2):
                radius = -radius
            tile[(2 * step) * WORDS + pair] = radius * cos
            tile[(2 * step + 1) * WORDS + pair] = radius * sin
