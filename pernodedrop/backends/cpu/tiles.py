"""Random factors by the tile: 4096 of them, a pure function of a 64-bit key and a place in its sequence.

A key is hashed (the finalizer of splitmix64, Steele et al. 2014) into 8 generators xoroshiro128+ (Blackman and Vigna
2018), which stay in registers. Eight steps of them give 4096 random bits; n times as many, combined by AND and OR along
the n bits of a probability, give 4096 Bernoulli draws. What is missing from it to the keep probability is rare, and is
drawn by itself: see `draws`.
"""

from typing import Any

from numba import uint64

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
