"""Philox 4x32 with seven rounds, written from the paper (Salmon et al. 2011) in numpy."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(seed: int, counter: tuple[Words, ...], rounds: int = 7) -> tuple[Words, ...]:
    """Four words for every counter (four words), under a key of 64 bits."""
    a, b, c, d = (word.astype(np.uint64) for word in np.broadcast_arrays(*counter))
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(rounds):
        first, second = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b, c, d = (
            (second >> 32) ^ b ^ np.uint64(key[0]),
            second & 0xFFFFFFFF,
            (first >> 32) ^ d ^ np.uint64(key[1]),
            first & 0xFFFFFFFF,
        )
        key = [(word + step) & 0xFFFFFFFF for word, step in zip(key, _WEYL, strict=True)]
    return tuple(word.astype(np.uint32) for word in (a, b, c, d))
