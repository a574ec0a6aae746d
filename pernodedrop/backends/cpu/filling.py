"""Fills tiles one after another with the generators' next factors, for the vectors of a key.

A vector is a position of a sample. The positions of a sample share a tile, and RUN samples share a key. Where factors
change over time, every sample has a key, and a tile is made from the one before: so a factor is the same whatever the
number of positions.
"""

from typing import Any

from numba import types
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.chains import draw_next
from pernodedrop.backends.cpu.normals import draw_normals, one_plus_chosen
from pernodedrop.backends.cpu.tiles import DRAWS, WORDS, change_few, draw_bits
from pernodedrop.backends.cpu.workspace import Workspace
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


def fill(space: Any, k: int, begins: bool, drawn: Any) -> None:
    """Fills tile k of a workspace with the next factors of a key: r where it holds words, 1 + sigma r n where floats.

    `drawn` is a `draws.Draws` or, where factors change over time, a `Chain`; `begins` says that the tile is the key's
    first, else tile k - 1 is the one before, which for the first tile is the last one, of the call before.
    """
    raise NotImplementedError("compiled code calls the overload below")


@overload(fill)
def _fill(space: Any, k: int, begins: bool, drawn: Any) -> Any:
    if isinstance(space.types[Workspace._fields.index("tiles")].dtype, types.Float):
        return _fill_normals
    return _fill_chained if _is_chain(drawn) else _fill_bits


def _fill_bits(space: Any, k: int, begins: bool, drawn: Any) -> None:
    _draw(space.state, space.words, k * WORDS, drawn)


def _fill_normals(space: Any, k: int, begins: bool, drawn: Any) -> None:
    tiles = space.tiles.reshape(-1)
    if drawn.bits == 0 and drawn.hits.shape[0] == 0:
        draw_normals(space.state, space.drawn, tiles, k * DRAWS, 1.0, drawn.sigma)
        return
    draw_normals(space.state, space.drawn, tiles, k * DRAWS, 0.0, drawn.sigma)
    _draw(space.state, space.drawn, 0, drawn)
    one_plus_chosen(space.drawn, tiles, k * DRAWS)


def _fill_chained(space: Any, k: int, begins: bool, drawn: Any) -> None:
    if begins:
        draw_bits(space.state, space.words, k * WORDS, drawn.keep, drawn.bits)
    else:
        draw_next(space, k * WORDS, drawn)


@compiled
def _draw(state: Any, words: Any, start: int, drawn: Any) -> None:
    draw_bits(state, words, start, drawn.keep, drawn.bits)
    if drawn.hits.shape[0]:
        change_few(state, words, start, drawn.hits, drawn.clears)


@compiled
def fill_tiles(space: Any, begins: bool, number: int, drawn: Any) -> None:
    """Fills as many tiles as there are, `number` at most, one after another: see `fill`."""
    for k in range(min(space.tiles.shape[0], number)):
        fill(space, k, begins and k == 0, drawn)
