"""The CPU kernel's generators: they are the ones that they are named after, and start apart."""

import numpy as np

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.generators import OUTPUTS, SIDE_BY_SIDE, STATE, next_rare, seed_generators
from pernodedrop.backends.cpu.tiles import WORDS, draw_bits

_MASK = 2**64 - 1


def _turned(words: list[int], places: int) -> list[int]:
    """Four words as one of 256 bits, the first lowest, rotated to the left by `places` times 32 bits."""
    whole = sum(word << (64 * at) for at, word in enumerate(words))
    bits = 32 * places
    whole = (whole << bits | whole >> (256 - bits)) & (2**256 - 1)
    return [whole >> (64 * at) & _MASK for at in range(4)]


def _plus(*terms: list[int]) -> list[int]:
    return [sum(words) & _MASK for words in zip(*terms, strict=True)]


def _xor(one: list[int], other: list[int]) -> list[int]:
    return [a ^ b for a, b in zip(one, other, strict=True)]


def _shishua(states: list[list[int]], counter: list[int]) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """A step by its author's description: the four outputs, the states and the counter."""
    states = [states[0], _plus(states[1], counter), states[2], _plus(states[3], counter)]
    low = [[word >> shift for word in words] for words, shift in zip(states, (1, 3, 1, 3), strict=True)]
    turned = [_turned(words, places) for words, places in zip(states, (3, 5, 3, 5), strict=True)]
    after = [_plus(a, b) for a, b in zip(turned, low, strict=True)]
    outputs = [_xor(low[0], turned[1]), _xor(low[2], turned[3]), _xor(after[0], after[3]), _xor(after[2], after[1])]
    return outputs, after, _plus(counter, [7, 5, 3, 1])


def test_random_words_are_shishua_s() -> None:
    state, words = np.empty(STATE, np.uint64), np.empty(3 * WORDS, np.uint64)
    seed_generators(state, np.uint64(2026))
    started = [int(word) for word in state]
    for tile in range(3):
        draw_bits(state, words, tile * WORDS, np.uint64(1), 1)
    for first in range(0, SIDE_BY_SIDE, 4):
        states = [started[SIDE_BY_SIDE * k + first : SIDE_BY_SIDE * k + first + 4] for k in range(4)]
        counter = started[4 * SIDE_BY_SIDE + first : 4 * SIDE_BY_SIDE + first + 4]
        for step in range(0, len(words), OUTPUTS * SIDE_BY_SIDE):
            outputs, states, counter = _shishua(states, counter)
            for output, expected in enumerate(outputs):
                at = step + output * SIDE_BY_SIDE + first
                assert words[at : at + 4].tolist() == expected


@compiled
def _rare(state: np.ndarray, words: np.ndarray) -> None:
    for at in range(words.shape[0]):
        words[at] = next_rare(state)


def test_what_is_rare_comes_from_xoroshiro() -> None:
    state, words = np.zeros(STATE, np.uint64), np.empty(4, np.uint64)
    state[-2:] = a, b = 1, 2
    expected = []
    for _ in words:
        expected.append(a + b & _MASK)
        b ^= a
        a, b = (a << 24 | a >> 40) & _MASK ^ b ^ b << 16 & _MASK, (b << 37 | b >> 27) & _MASK
    _rare(state, words)
    assert words.tolist() == expected


def test_neighbouring_keys_start_apart() -> None:
    """Half of the bits differ, at each place and between any two keys that follow each other."""
    states = np.empty((400, STATE), np.uint64)
    for key, state in enumerate(states):
        seed_generators(state, np.uint64(key))
    differing = np.unpackbits((states[1:] ^ states[:-1]).view(np.uint8), axis=1)
    bits = 64 * STATE
    assert abs(differing.sum(1) - bits / 2).max() < 5.0 * np.sqrt(bits / 4)
    assert abs(differing.sum(0) - len(differing) / 2).max() < 5.0 * np.sqrt(len(differing) / 4)
