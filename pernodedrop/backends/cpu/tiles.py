"""Random factors by the tile: 4096 of them, a pure function of a 64-bit key and a place in its sequence.

Two steps of the generators give 4096 random bits; n times as many, combined by AND and OR along the n bits of a
probability, give 4096 Bernoulli draws. What is missing from it to the keep probability is rare, and is drawn by itself:
see `draws`.
"""

from typing import Any

from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.generators import (
    OUTPUTS,
    SIDE_BY_SIDE,
    load_state,
    next_rare,
    next_words,
    store_state,
)
from pernodedrop.backends.cpu.lanes import WORD_LANES, and_xor, or_xor, splat, store

WORDS = 64  # of 64 bits
DRAWS = WORDS * 64


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
                    a, b, c, d = or_xor(a, e), or_xor(b, f), or_xor(c, g), or_xor(d, h)
                else:
                    a, b, c, d = and_xor(a, e), and_xor(b, f), and_xor(c, g), and_xor(d, h)
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
