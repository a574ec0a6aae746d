"""The memory that a kernel works in: it has none of its own, since counting who holds an array costs more than a tile.

Numba counts with locked instructions wherever an array is handed on; `caching.compiled` makes it leave that.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from pernodedrop.backends.cpu.generators import STATE
from pernodedrop.backends.cpu.lanes import STEP
from pernodedrop.backends.cpu.reading import SPREAD
from pernodedrop.backends.cpu.sums import GROUP
from pernodedrop.backends.cpu.tiles import DRAWS, WORDS

CHUNK = 8  # tiles of weights that wait for the same samples: they stay in the second cache
_LINE = 64  # bytes
_FREE: defaultdict[tuple[Any, bool], deque[Any]] = defaultdict(deque)  # as many as threads have ever worked at once


class Workspace(NamedTuple):
    """What one thread needs for a product or its gradients."""

    tiles: Any  # (GROUP, DRAWS) floats, or (GROUP, DRAWS / 32) words of 32 bits
    words: Any  # the tiles, flat and by 64 bits
    drawn: Any  # (2 * WORDS,) uint64
    state: Any  # (STATE,) uint64: the generators'
    weights: Any  # (CHUNK * DRAWS,) floats: those of CHUNK tiles
    gradients: Any  # (CHUNK * DRAWS,) floats: those of the weights
    grads: Any  # floats: the output's gradients of GROUP vectors, each SPREAD times
    at_x: Any  # (GROUP,) int64: where vectors begin
    at_tiles: Any  # (GROUP,) int64: where their tiles do


@contextmanager
def borrowed(dtype: Any, normal: bool) -> Iterator[Workspace]:
    """A workspace that no other thread has until it is given back: making one costs as much as a small layer."""
    free = _FREE[np.dtype(dtype), normal]
    try:
        space = free.pop()
    except IndexError:
        space = workspace(dtype, normal)
    try:
        yield space
    finally:
        free.append(space)


def workspace(dtype: Any, normal: bool) -> Workspace:
    """Memory for a layer's numbers; `normal` factors are numbers of the same kind, others are bits."""
    tiles = _empty(GROUP * DRAWS, dtype) if normal else _empty(GROUP * DRAWS // 32, np.uint32)
    return Workspace(
        tiles.reshape(GROUP, -1),
        tiles.view(np.uint64),
        _empty(2 * WORDS, np.uint64),
        _empty(STATE, np.uint64),
        _empty(CHUNK * DRAWS, dtype),
        _empty(CHUNK * DRAWS, dtype),
        _empty(GROUP * SPREAD * DRAWS // STEP, dtype),
        *_empty(2 * GROUP, np.int64).reshape(2, GROUP),
    )


def _empty(size: int, dtype: Any) -> Any:
    """An array that begins with a line of the cache, so that no register's load crosses one."""
    count = size * np.dtype(dtype).itemsize
    raw = np.empty(count + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + count].view(dtype)
