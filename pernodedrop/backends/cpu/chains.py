"""Bits that change from one position of a sample to the next: see `factors.Chain`."""

from typing import Any

import numpy as np
from numba import uint64
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import GENERATORS, bit_and, bit_or, bit_xor, load, splat, store
from pernodedrop.backends.cpu.tiles import RUN, WORDS, xoroshiro
from pernodedrop.backends.factors import Chain


def run_of(factors: Any) -> int:
    """Return how many samples share a key: with one, a factor is the same whatever the number of positions."""
    raise NotImplementedError("compiled code calls the overload below")


def advance(tile: Any, scratch: Any, factors: Any, row: int) -> None:
    """Makes a sample's tile that of this row of it, given that of the row before; row 0 is what `fill` has drawn."""
    raise NotImplementedError("compiled code calls the overload below")


def _is_chain(factors: Any) -> bool:
    return getattr(factors, "instance_class", None) is Chain


@overload(run_of)
def _run_of(factors: Any) -> Any:
    return _one_sample if _is_chain(factors) else _usual_run


def _one_sample(factors: Any) -> int:
    return 1


def _usual_run(factors: Any) -> int:
    return RUN


@overload(advance)
def _advance(tile: Any, scratch: Any, factors: Any, row: int) -> Any:
    return _advance_bits if _is_chain(factors) else _leave


def _leave(tile: Any, scratch: Any, factors: Any, row: int) -> None:
    pass


def _advance_bits(tile: Any, scratch: Any, factors: Any, row: int) -> None:
    if row > 0 and row % factors.rows == 0:
        draw_next(scratch[1], tile.view(np.uint64), factors)


@compiled
def draw_next(state: Any, words: Any, chain: Any) -> None:
    """words (64,) = (c and words) or (not c and u), or its complement in place of words, with fresh c and u."""
    flipped = splat(~uint64(0) if chain.alternates else uint64(0), GENERATORS)
    for first in range(0, WORDS, GENERATORS):
        a, b = load(state, first, GENERATORS), load(state, WORDS + first, GENERATORS)
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
        store(state, first, a)
        store(state, WORDS + first, b)
        before = bit_xor(load(words, first, GENERATORS), flipped)
        store(words, first, bit_xor(fresh, bit_and(copied, bit_xor(fresh, before))))
