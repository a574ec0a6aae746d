"""Bits that change from one position of a sample to the next: see `factors.Chain`."""

from typing import Any

from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.tiles import WORDS, draw_bits


@compiled
def draw_next(space: Any, start: int, chain: Any) -> None:
    """space.words[start : start + 64] = (c and the 64 words before it) or (not c and u), or with the complement of
    those words, for fresh c and u. Before the first tile comes the last one, which an earlier call has filled."""
    words, drawn = space.words, space.drawn
    draw_bits(space.state, drawn, 0, chain.copies, chain.copy_bits)
    draw_bits(space.state, drawn, WORDS, chain.fresh, chain.fresh_bits)
    before = (start - WORDS) % words.shape[0]
    flipped = ~uint64(0) if chain.alternates else uint64(0)
    for word in range(WORDS):
        fresh, old = drawn[WORDS + word], words[before + word] ^ flipped
        words[start + word] = fresh ^ (drawn[word] & (fresh ^ old))
