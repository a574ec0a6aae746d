"""Fills tiles one after another with the generators' next factors, for the vectors of a key.

A vector is a position of a sample. The positions of a sample share a tile, and RUN samples share a key. Where factors
change over time, every sample has a key, and a tile is made from the one before: so a factor is the same whatever the
number of positions.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.chains import draw_next
from pernodedrop.backends.cpu.normals import draw_normals, keep_chosen
from pernodedrop.backends.cpu.tiles import DRAWS, change_few, draw_bits
from pernodedrop.backends.factors import Chain

RUN = 16  # samples, so that seeding the generators costs little beside drawing


def sequence_of(drawn: Any, positions: int) -> tuple[int, int]:
    """How many vectors share a key, and how many of them one after another a tile."""
    raise NotImplementedError("compiled code calls the overload below")


@overload(sequence_of)
def _sequence_of(drawn: Any, positions: int) -> Any:
    return _sample if _is_chain(drawn) else _run


def _is_chain(drawn: Any) -> bool:
    return getattr(drawn, "instance_class", None) is Chain


def _sample(drawn: Any, positions: int) -> tuple[int, int]:
    return positions, drawn.rows


def _run(drawn: Any, positions: int) -> tuple[int, int]:
    return RUN * positions, positions


def fill(tiles: Any, k: int, begins: bool, scratch: Any, drawn: Any) -> None:
    """Fills tiles[k] with the next factors of a key: r where it holds words, r n where it holds floats.

    `drawn` is a `draws.Draws` or, where factors change over time, a `Chain`; `begins` says that the tile is the key's
    first, else tiles[k - 1] is the one before. Scratch holds 64 words and the generators' state.
    """
    raise NotImplementedError("compiled code calls the overload below")


@overload(fill)
def _fill(tiles: Any, k: int, begins: bool, scratch: Any, drawn: Any) -> Any:
    if isinstance(tiles.dtype, types.Float):
        return _fill_normals
    return _fill_chained if _is_chain(drawn) else _fill_bits


def _fill_bits(tiles: Any, k: int, begins: bool, scratch: Any, drawn: Any) -> None:
    words = tiles[k].view(np.uint64)
    draw_bits(scratch[1], words, drawn.keep, drawn.bits)
    if drawn.hits.shape[0]:
        change_few(scratch[1], words, drawn.hits, drawn.clears)


def _fill_normals(tiles: Any, k: int, begins: bool, scratch: Any, drawn: Any) -> None:
    words, state = scratch
    draw_normals(state, words, tiles, k * DRAWS)
    if drawn.bits == 0 and drawn.hits.shape[0] == 0:
        return
    draw_bits(state, words, drawn.keep, drawn.bits)
    if drawn.hits.shape[0]:
        change_few(state, words, drawn.hits, drawn.clears)
    keep_chosen(words, tiles, k * DRAWS)


def _fill_chained(tiles: Any, k: int, begins: bool, scratch: Any, drawn: Any) -> None:
    words = tiles[k].view(np.uint64)
    if begins:
        draw_bits(scratch[1], words, drawn.keep, drawn.bits)
    else:
        words[:] = tiles[k - 1].view(np.uint64)
        draw_next(scratch[1], words, drawn)


@compiled
def fill_group(tiles: Any, begins: bool, number: int, scratch: Any, drawn: Any) -> None:
    """Fills as many tiles as there are, `number` at most, one after another: see `fill`."""
    for k in range(min(tiles.shape[0], number)):
        fill(tiles, k, begins and k == 0, scratch, drawn)
