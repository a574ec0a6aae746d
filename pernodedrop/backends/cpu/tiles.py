"""Random factors by the tile: 4096 of them, a pure function of a 64-bit key and a place in its sequence.

A key is hashed (the finalizer of splitmix64, Steele et al. 2014) into 8 generators xoroshiro128+ (Blackman and Vigna
2018), which stay in registers. Eight steps of them give 4096 random bits; n times as many, combined by AND and OR along
the n bits of a probability, give 4096 Bernoulli draws. What is missing from it to the keep probability is rare, and is
drawn by itself: see `draws`.
"""

from typing import Any

import numpy as np
from numba import uint32, uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import (
    GENERATORS,
    add,
    bit_and,
    bit_or,
    bit_xor,
    load,
    rotated_left,
    shifted_left,
    splat,
    store,
)

WORDS = 64  # of 64 bits
DRAWS = WORDS * 64
STATE = 2 * GENERATORS + 2  # words: those of the generators, then of one that counts and places what is rare

_GOLDEN = uint64(0x9E3779B97F4A7C15)
_MANTISSA = uint32(0x007FFFFF)
_ONE = uint32(0x3F800000)


@compiled
def splitmix(value: Any) -> Any:
    """The finalizer of splitmix64, a hash of 64 bits."""
    value = (value ^ (value >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> uint64(27))) * uint64(0x94D049BB133111EB)
    return value ^ (value >> uint64(31))


@compiled
def seed_generators(scratch: Any, key: Any) -> None:
    """Starts the sequence of a key: fills the two words of every generator's state, (STATE,)."""
    _, state = scratch
    first = splitmix(key)
    for word in range(STATE):
        state[word] = splitmix(first + uint64(word + 1) * _GOLDEN)


@compiled
def xoroshiro(a: Any, b: Any) -> Any:
    """One step of xoroshiro128+ in every lane: the random words, then the next state's two words."""
    mixed = bit_xor(b, a)
    next_a = bit_xor(bit_xor(rotated_left(a, uint64(24)), mixed), shifted_left(mixed, uint64(16)))
    return add(a, b), next_a, rotated_left(mixed, uint64(37))


@compiled
def draw_bits(state: Any, words: Any, keep: Any, bits: Any) -> None:
    """Sets each bit of words (64,) with probability keep / 2^bits; every bit where bits is 0, none where keep is 0."""
    a, b = load(state, 0, GENERATORS), load(state, GENERATORS, GENERATORS)
    for first in range(0, WORDS, GENERATORS):
        chosen = splat(uint64(0) if bits or not keep else ~uint64(0), GENERATORS)
        for place in range(bits):
            random, a, b = xoroshiro(a, b)
            # from the probability's last binary place to its first
            digit = (uint64(keep) >> uint64(place)) & uint64(1)
            chosen = bit_or(chosen, random) if digit else bit_and(chosen, random)
        store(words, first, chosen)
    store(state, 0, a)
    store(state, GENERATORS, b)


@compiled
def next_word(state: Any) -> Any:
    """The next word of the last generator: one step of xoroshiro128+."""
    a, b = state[2 * GENERATORS], state[2 * GENERATORS + 1]
    mixed = b ^ a
    state[2 * GENERATORS] = ((a << uint64(24)) | (a >> uint64(40))) ^ mixed ^ (mixed << uint64(16))
    state[2 * GENERATORS + 1] = (mixed << uint64(37)) | (mixed >> uint64(27))
    return a + b


@compiled
def change_few(state: Any, words: Any, hits: Any, clears: Any) -> None:
    """Hits bits of words (64,) at random places, each hit anywhere, and sets or clears them.

    The number of hits has the distribution function `hits`, in units of 2^-64: where it is Poisson's with mean
    4096 a, every bit is hit with probability 1 - exp(-a) and independently of all others.
    """
    random = next_word(state)
    number = 0
    while number < hits.shape[0] and random >= hits[number]:
        number += 1
    while number > 0:
        places = next_word(state) >> uint64(4)
        for _ in range(min(number, 5)):  # of 12 bits each
            bit = uint64(1) << (places & uint64(63))
            word = (places >> uint64(6)) & uint64(63)
            if clears:
                words[word] &= ~bit
            else:
                words[word] |= bit
            places >>= uint64(12)
        number -= 5


@compiled
def draw_normals(state: Any, words: Any, tile: Any) -> None:
    """Fills tile (4096,) with N(0, 1) by Box and Muller (1958), accurate to single precision."""
    halves = words.view(np.uint32)
    bits = np.empty(WORDS, np.uint32)
    mantissas = bits.view(np.float32)
    for step in range(DRAWS // (2 * WORDS)):
        draw_bits(state, words, uint64(1), 1)
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
