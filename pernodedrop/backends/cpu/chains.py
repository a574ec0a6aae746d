"""Bits that change from one position of a sample to the next: see `factors.Chain`."""

from typing import Any

from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.tiles import WORDS, draw_bits


@compiled
def draw_next(space: Any, start: int, chain: Any) -> None:
    """space.words[start : start + 64] = (c and the 64 words before it) or (not c and u), or with the complement of
    those words, for fresh c and u."""
    words, drawn = space.words, space.drawn
    draw_bits(space.state, drawn, 0, chain.copies, chain.copy_bits)
    draw_bits(space.state, drawn, WORDS, chain.fresh, chain.fresh_bits)
    flipped = ~uint64(0) if chain.alternates else uint64(0)
    for word in range(WORDS):
        fresh, before = drawn[WORDS + word], words[start - WORDS + word] ^ flipped
        words[start + word] = fresh ^ (drawn[word] & (fresh ^ before))
