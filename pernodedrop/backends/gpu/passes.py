"""Launches of `bernoulli`: how a pass is cut into programs, and how their partial sums are added."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from pernodedrop.backends.factors import Factors
from pernodedrop.backends.gpu import bernoulli
from pernodedrop.backends.gpu.factors import GROUP
from pernodedrop.backends.gpu.tiles import Tile, tile_of

DIGITS, TIES = 8, 2  # drawn for all decisions, and calls for those that these leave open
PRODUCT_PROGRAMS, GRADIENTS_PROGRAMS = 1024, 256  # at least, to fill a GPU; a gradient's partial sums are large
LEAST_EACH = 4  # groups of a sum a program


def product(x: Tensor, weight: Tensor, seed: Tensor, factors: Factors, *, tile: Tile | None) -> Tensor:
    """sum_i x_bi m_bji W_ji for x (B, 1, I), weight (J, I), both contiguous: (B, 1, J)."""
    samples, _, connections = x.shape
    units = weight.shape[0]
    tile = tile or tile_of("product", samples, connections, units, x.device)
    pieces = triton.cdiv(samples, tile.samples) * triton.cdiv(units, tile.units)
    groups = triton.cdiv(connections, GROUP)
    each = max(triton.cdiv(groups, max(1, PRODUCT_PROGRAMS // pieces)), LEAST_EACH)
    parts = triton.cdiv(groups, each)
    out = x.new_empty((parts, samples, 1, units), dtype=x.dtype if parts == 1 else torch.float32)
    numbers = samples, connections, units, _aligned(factors), each
    _launch(bernoulli.product, pieces * parts, (x, weight, out, seed, *numbers), factors, tile)
    return _summed(out, x.dtype)


def gradients(
    grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, factors: Factors, *, tile: Tile | None
) -> tuple[Tensor, Tensor]:
    """The gradients of `product` in x and weight, in one pass over the factors."""
    samples, _, connections = x.shape
    units = weight.shape[0]
    tile = tile or tile_of("gradients", samples, connections, units, x.device)
    groups = triton.cdiv(connections, GROUP)
    cut = _cut(triton.cdiv(samples, tile.samples), triton.cdiv(units, tile.units), groups, samples, units)
    of_x = _partial(cut.splits, x)
    of_weight = _partial(cut.parts, weight)
    numbers = samples, connections, units, _aligned(factors), cut.splits, cut.tiles, cut.each
    arguments = (grad, x, weight, of_x, of_weight, seed, *numbers)
    _launch(bernoulli.gradients, groups * cut.splits * cut.parts, arguments, factors, tile)
    return _summed(of_x, x.dtype), _summed(of_weight, weight.dtype)


class _Cut(NamedTuple):
    """Tiles of units that a program takes one after the other, and of samples; how many programs a group then has."""

    tiles: int
    splits: int
    each: int
    parts: int


def _cut(sample_tiles: int, unit_tiles: int, groups: int, samples: int, units: int) -> _Cut:
    """The cut into enough programs whose partial sums, of rows of x and of the weight, are the fewest."""

    def possible() -> Iterator[_Cut]:
        for tiles in range(1, unit_tiles + 1):
            splits = triton.cdiv(unit_tiles, tiles)
            wanted = triton.cdiv(GRADIENTS_PROGRAMS, groups * splits)
            each = max(sample_tiles // wanted, 1)
            yield _Cut(tiles, splits, each, triton.cdiv(sample_tiles, each))

    def cost(cut: _Cut) -> tuple[bool, int]:
        rows = (cut.splits > 1) * cut.splits * samples + (cut.parts > 1) * cut.parts * units
        return groups * cut.splits * cut.parts < GRADIENTS_PROGRAMS, rows

    return min(possible(), key=cost)


def _aligned(factors: Factors) -> int:
    """The numerator over 2^32, as a signed word."""
    keep = factors.keep << (32 - factors.bits)
    return keep - (keep >> 31 << 32)


def _launch(kernel: Any, programs: int, arguments: tuple[Any, ...], factors: Factors, tile: Tile) -> None:
    drawn = {"DIGITS": min(factors.bits, DIGITS), "TIES": TIES if factors.bits > DIGITS else 0}
    cut = {"SAMPLES": tile.samples, "UNITS": tile.units}
    kernel[programs,](*arguments, **drawn, **cut, num_warps=tile.warps, enable_fp_fusion=True)


def _partial(count: int, result: Tensor) -> Tensor:
    """Room for `count` partial sums; a gradient of x grows in it, so that it is always of single precision."""
    return result.new_empty((count, *result.shape), dtype=torch.float32)


def _summed(parts: Tensor, dtype: torch.dtype) -> Tensor:
    return (parts[0] if parts.shape[0] == 1 else parts.sum(0)).to(dtype)
