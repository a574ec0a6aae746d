"""Random words: two generators side by side in registers, started from a 64-bit key.

They are Shishua (Thaddée Tyl, 2020: https://espadrine.github.io/blog/posts/shishua-the-fastest-prng-in-the-world.html),
four states of 256 bits that sums, shifts and turns mix. A step gives four words of every lane for nineteen operations;
xoroshiro128+ takes forty-four. Its author tried one long stream with PractRand, up to 32 TiB, which found nothing. Here
a stream is short, and begins anew with every key: states and counters are a hash of it (the finalizer of splitmix64,
Steele et al. 2014), in place of the author's rounds of warming up. One more generator, xoroshiro128+ (Blackman and
Vigna 2018), counts and places what is rare.
"""

from typing import Any

import numpy as np
from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import WORD_LANES, add, load, shifted_right, store, turned

OUTPUTS = 4  # words of every lane that a step gives
SIDE_BY_SIDE = 8  # lanes of 64 bits
_COUNTER = 4 * SIDE_BY_SIDE  # where the counters are, behind the four states
_RARE = _COUNTER + SIDE_BY_SIDE
STATE = _RARE + 2  # words

_GOLDEN = uint64(0x9E3779B97F4A7C15)
_INCREMENTS = np.array([7, 5, 3, 1] * 2, np.uint64)


@compiled
def seed_generators(state: Any, key: Any) -> None:
    """Starts the sequence of a key: fills the state, (STATE,)."""
    first = _splitmix(key)
    for word in range(STATE):
        state[word] = _splitmix(first + uint64(word + 1) * _GOLDEN)


@compiled
def _splitmix(value: Any) -> Any:
    value = (value ^ (value >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> uint64(27))) * uint64(0x94D049BB133111EB)
    return value ^ (value >> uint64(31))


@compiled
def load_state(state: Any, lane: int) -> Any:
    """The four states and the counter of WORD_LANES lanes, from `lane` on."""
    return (
        load(state, lane, WORD_LANES),
        load(state, SIDE_BY_SIDE + lane, WORD_LANES),
        load(state, 2 * SIDE_BY_SIDE + lane, WORD_LANES),
        load(state, 3 * SIDE_BY_SIDE + lane, WORD_LANES),
        load(state, _COUNTER + lane, WORD_LANES),
    )


@compiled
def store_state(state: Any, lane: int, values: Any) -> None:
    """Puts them back."""
    a, b, c, d, counter = values
    store(state, lane, a)
    store(state, SIDE_BY_SIDE + lane, b)
    store(state, 2 * SIDE_BY_SIDE + lane, c)
    store(state, 3 * SIDE_BY_SIDE + lane, d)
    store(state, _COUNTER + lane, counter)


@compiled
def next_words(values: Any) -> Any:
    """A step: OUTPUTS random words of every lane, each as two whose exclusive OR it is, and the next values."""
    a, b, c, d, counter = values
    b, d = add(b, counter), add(d, counter)
    low_a, low_b, low_c, low_d = shifted_right(a, 1), shifted_right(b, 3), shifted_right(c, 1), shifted_right(d, 3)
    turned_b, turned_d = turned(b, 5), turned(d, 5)
    a, b, c, d = add(turned(a, 3), low_a), add(turned_b, low_b), add(turned(c, 3), low_c), add(turned_d, low_d)
    words = (low_a, turned_b), (low_c, turned_d), (a, d), (c, b)
    return words, (a, b, c, d, add(counter, load(_INCREMENTS, 0, WORD_LANES)))


@compiled
def next_rare(state: Any) -> Any:
    """The next word of the generator of what is rare."""
    a, b = state[_RARE], state[_RARE + 1]
    mixed = b ^ a
    state[_RARE] = ((a << uint64(24)) | (a >> uint64(40))) ^ mixed ^ (mixed << uint64(16))
    state[_RARE + 1] = (mixed << uint64(37)) | (mixed >> uint64(27))
    return a + b
