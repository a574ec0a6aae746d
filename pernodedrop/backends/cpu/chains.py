"""Bits that change from one position of a sample to the next: see `factors.Chain`."""

from typing import Any

from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import GENERATORS, bit_and, bit_or, bit_xor, load, splat, store
from pernodedrop.backends.cpu.tiles import WORDS, xoroshiro


@compiled
def draw_next(state: Any, words: Any, chain: Any) -> None:
    """words (64,) = (c and words) or (not c and u), or its complement in place of words, with fresh c and u."""
    flipped = splat(~uint64(0) if chain.alternates else uint64(0), GENERATORS)
    a, b = load(state, 0, GENERATORS), load(state, GENERATORS, GENERATORS)
    for first in range(0, WORDS, GENERATORS):
        copied = splat(uint64(0) if chain.copy_bits else ~uint64(0), GENERATORS)
        for place in range(chain.copy_bits):
            random, a, b = xoroshiro(a, b)
            digit = (uint64(chain.copies) >> uint64(place)) & uint64(1)
            copied = bit_or(copied, random) if digit else bit_and(copied, random)
        fresh = splat(uint64(0) if chain.fresh_bits else ~uint64(0), GENERATORS)
        for place in range(chain.fresh_bits):
            random, a, b = xoroshiro(a, b)
            digit = (uint64(chain.fresh) >> uint64(place)) & uint64(1)
            fresh = bit_or(fresh, random) if digit else bit_and(fresh, random)
        before = bit_xor(load(words, first, GENERATORS), flipped)
        store(words, first, bit_xor(fresh, bit_and(copied, bit_xor(fresh, before))))
    store(state, 0, a)
    store(state, GENERATORS, b)
