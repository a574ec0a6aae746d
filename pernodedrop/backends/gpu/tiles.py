"""How large a piece a program of the GPU's kernels computes at once. It changes the speed, and no factor."""

from typing import NamedTuple

import triton


class Tile(NamedTuple):
    """Per group of connections; every side is a power of 2."""

    samples: int = 8  # where every sample has one position, or its factors change over time; else one at a time
    units: int = 16  # at least 4
    shared_units: int = 32  # where the positions of a sample share its mask
    warps: int = 4


TILE = Tile()
_LEAST_UNITS = 16
_PAIRS = 512  # of sample and unit in a tile of `bernoulli`: a call of Philox for each of 128 threads
_PRODUCT_UNITS, _GRADIENTS_UNITS = 32, 64


def tile_of_product(samples: int, units: int) -> Tile:
    """The tile of `bernoulli.product`; by the sizes alone, so that equal sizes are always summed alike."""
    return _tile(units, _PRODUCT_UNITS if samples > _PAIRS // _GRADIENTS_UNITS else _GRADIENTS_UNITS)


def tile_of_gradients(units: int) -> Tile:
    """The same of `bernoulli.gradients`."""
    return _tile(units, _GRADIENTS_UNITS)


def _tile(units: int, most: int) -> Tile:
    side = min(max(triton.next_power_of_2(units), _LEAST_UNITS), most)
    return Tile(_PAIRS // side, side)
