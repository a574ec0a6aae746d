"""Tiles of factors as the CPU kernel draws them, one run of samples after another."""

from typing import Any

import numpy as np

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.draws import Draws
from pernodedrop.backends.cpu.filling import RUN, fill
from pernodedrop.backends.cpu.generators import seed_generators
from pernodedrop.backends.cpu.workspace import Workspace, workspace


def tiles_of(draws: Draws, key: int, number: int, *, normal: bool) -> Any:
    """(number, DRAWS) float32 where normal, else (number, DRAWS / 32) uint32 words of bits."""
    space = workspace(np.float32, normal)
    tiles = np.empty((number, space.tiles.shape[1]), space.tiles.dtype)
    _draw(tiles, draws, np.uint64(key), space)
    return tiles


@compiled
def _draw(tiles: np.ndarray, draws: Draws, key: np.uint64, space: Workspace) -> None:
    for tile in range(tiles.shape[0]):
        if tile % RUN == 0:
            seed_generators(space.state, key + np.uint64(tile))
        fill(space, 0, tile % RUN == 0, draws)
        for at in range(tiles.shape[1]):
            tiles[tile, at] = space.tiles[0, at]
