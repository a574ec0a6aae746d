"""Writes the random words of the CPU kernel to stdout without an end, for a battery of tests.

    python -m benchmarks.random_words | dieharder -a -g 200 -k 2

As the kernel draws them: so many tiles of one key (a run of samples at seven digits), then those of the next key.
"""

import sys

import numpy as np
from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.filling import RUN
from pernodedrop.backends.cpu.generators import STATE, seed_generators
from pernodedrop.backends.cpu.tiles import WORDS, draw_bits

TILES = 7 * RUN  # of a key
KEYS = 16  # at once


@compiled
def fill(words: np.ndarray, state: np.ndarray, key: np.uint64) -> None:
    for tile in range(words.shape[0] // WORDS):
        if tile % TILES == 0:
            seed_generators(state, key + uint64(tile // TILES))
        draw_bits(state, words, tile * WORDS, uint64(1), 1)


def main() -> None:
    words, state = np.empty(KEYS * TILES * WORDS, np.uint64), np.empty(STATE, np.uint64)
    key = 0
    try:
        while True:
            fill(words, state, np.uint64(key))
            sys.stdout.buffer.write(words.tobytes())
            key += KEYS
    except BrokenPipeError:  # the battery has enough
        sys.stderr.close()


if __name__ == "__main__":
    main()
