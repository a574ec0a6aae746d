"""The stirred product and its gradients: each draws every factor when it is needed.

The factors of sample b, of a block of units and of a part of the connections form a tile. RUN samples share a key,
which is a counter; so any thread can compute whole runs in any order, and the factors are the same. Where factors
change over time, a sample's tile is moved on from row to row, always from the first on, and each sample has a key.

A word of bits has the factors of one connection: 8 units of it, for up to four parts of the connections, or 32 units.
"""

from typing import Any

import numpy as np
from numba import types, uint64
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.chains import advance, run_of
from pernodedrop.backends.cpu.lanes import LANES, ROWS, SHORT, load, store
from pernodedrop.backends.cpu.sums import add_both, add_outer, add_rows, add_units, no_sums, totals
from pernodedrop.backends.cpu.tiles import DRAWS, STATE, WORDS, fill, seed_generators

WIDTH = 128  # connections whose words lie side by side
WIDEST = DRAWS // ROWS  # connections of a tile


@compiled
def tiling(units: int, connections: int) -> tuple[int, int, int, int]:
    """Units and connections that a tile spans, then the number of tiles along each."""
    width = LANES
    widest = WIDTH if units >= 4 * ROWS else WIDEST
    while width < widest and width < connections:
        width *= 2
    rows = DRAWS // width
    return rows, width, -(-units // rows), -(-connections // width)


def place(tile: Any, unit: int, connection: int, width: int) -> tuple[int, int]:
    """Where a tile has the factors of ROWS units from `unit` on, for the connections from `connection` on: the first
    element, and the first bit in it, counted from the highest. `connection` is a multiple of WIDTH, or of `width`."""
    raise NotImplementedError("compiled code calls the overload below")


@overload(place)
def _place(tile: Any, unit: int, connection: int, width: int) -> Any:
    return _place_of_floats if isinstance(tile.dtype, types.Float) else _place_of_bits


def _place_of_floats(tile: Any, unit: int, connection: int, width: int) -> tuple[int, int]:
    return unit * width + connection, 0


def _place_of_bits(tile: Any, unit: int, connection: int, width: int) -> tuple[int, int]:
    slot = (connection * (DRAWS // width) // WIDTH + unit) // ROWS
    return slot // 4 * min(width, WIDTH), slot % 4 * ROWS


@compiled
def add_product(x: Any, weight: Any, y: Any, source: Any, spans: Any) -> None:
    """y_btj += sum_i x_bti m_bji W_ji for the `spans` of samples and of blocks of units.

    x (B, T, I), weight (J, I) and y (B, T, J) are contiguous, I a multiple of LANES. `source` is a tile as scratch,
    whose type says whether factors are normal (see `tiles.fill`), the key and how they are drawn. A span of samples
    starts with a run.
    """
    tile, key, drawn = source
    samples, blocks = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    rows, width, unit_tiles, tiles = tiling(units, connections)
    flat_x = x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed, sums = np.empty((rows, width), x.dtype), np.empty(rows, x.dtype)
    flat_packed = packed.reshape(-1)
    for block in range(blocks[0], blocks[1]):
        present_rows = min(rows, units - block * rows)
        for part in range(tiles):
            first = part * width
            present = min(width, connections - first)
            gather(weight, packed, block * rows, first)
            for sample in range(samples[0], samples[1]):
                run = run_of(drawn)
                if sample % run == 0:
                    seed_generators(scratch, key + uint64((sample // run * unit_tiles + block) * tiles + part))
                fill(tile, scratch, drawn)
                for position in range(positions):
                    advance(tile, scratch, drawn, position)
                    at_x = (sample * positions + position) * connections + first
                    for unit in range(0, present_rows, ROWS):
                        grown = no_sums(x)
                        for start in range(0, present, WIDTH):
                            at, bit = place(tile, unit, start, width)
                            at_weight = unit * width + start
                            for step in range(0, min(WIDTH, present - start), SHORT):
                                grown = add_rows(
                                    grown,
                                    tile,
                                    at + step,
                                    bit,
                                    flat_x,
                                    at_x + start + step,
                                    flat_packed,
                                    at_weight + step,
                                    width,
                                )
                        store(sums, unit, totals(grown))
                    for row in range(present_rows):
                        y[sample, position, block * rows + row] += sums[row]


@compiled
def add_gradients(operands: Any, grad_x: Any, grad_weight: Any, source: Any, spans: Any) -> None:
    """Adds the product's gradients for the `spans` of blocks of units and of parts of the connections.

    Of the operands grad (B, T, J), x (B, T, I) and weight (J, I) of T(x, W, g): grad_x (B, T, I) +=
    sum_j g_btj m_bji W_ji and grad_weight (J, I) += sum_bt g_btj m_bji x_bti.
    """
    grad, x, weight = operands
    tile, key, drawn = source
    blocks, parts = spans
    samples, positions, connections = x.shape
    units = weight.shape[0]
    rows, width, unit_tiles, tiles = tiling(units, connections)
    flat_x, flat_grad_x = x.reshape(-1), grad_x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed, packed_grad = np.empty((rows, width), x.dtype), np.empty((rows, width), x.dtype)
    flat_packed, flat_packed_grad = packed.reshape(-1), packed_grad.reshape(-1)
    grads = np.empty(rows, x.dtype)
    for part in range(parts[0], parts[1]):
        first = part * width
        present = min(width, connections - first)
        for block in range(blocks[0], blocks[1]):
            present_rows = min(rows, units - block * rows)
            gather(weight, packed, block * rows, first)
            packed_grad[:] = 0
            for sample in range(samples):
                run = run_of(drawn)
                if sample % run == 0:
                    seed_generators(scratch, key + uint64((sample // run * unit_tiles + block) * tiles + part))
                fill(tile, scratch, drawn)
                for position in range(positions):
                    advance(tile, scratch, drawn, position)
                    at_x = (sample * positions + position) * connections + first
                    take(grads, grad[sample, position], block * rows)
                    for start in range(0, present, WIDTH):
                        for step in range(start, min(start + WIDTH, present), LANES):
                            a = load(flat_x, at_x + step, LANES)
                            sum_ = load(flat_grad_x, at_x + step, LANES)
                            for unit in range(0, present_rows, ROWS):
                                at, bit = place(tile, unit, start, width)
                                sum_ = add_both(
                                    sum_,
                                    tile,
                                    at + step - start,
                                    bit,
                                    grads,
                                    unit,
                                    flat_packed,
                                    unit * width + step,
                                    width,
                                    a,
                                    flat_packed_grad,
                                )
                            store(flat_grad_x, at_x + step, sum_)
            scatter(packed_grad, grad_weight, block * rows, first)


@compiled
def add_gradient_x(operands: Any, grad_x: Any, source: Any, spans: Any) -> None:
    """grad_x (B, T, I) += sum_j g_btj m_bji W_ji for the `spans` of samples, units' blocks and connections' parts.

    A span of samples starts with a run.
    """
    grad, x, weight = operands
    tile, key, drawn = source
    samples, blocks, parts = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    rows, width, unit_tiles, tiles = tiling(units, connections)
    flat_grad_x = grad_x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed, grads = np.empty((rows, width), x.dtype), np.empty(rows, x.dtype)
    flat_packed = packed.reshape(-1)
    for part in range(parts[0], parts[1]):
        first = part * width
        present = min(width, connections - first)
        for block in range(blocks[0], blocks[1]):
            present_rows = min(rows, units - block * rows)
            gather(weight, packed, block * rows, first)
            for sample in range(samples[0], samples[1]):
                run = run_of(drawn)
                if sample % run == 0:
                    seed_generators(scratch, key + uint64((sample // run * unit_tiles + block) * tiles + part))
                fill(tile, scratch, drawn)
                for position in range(positions):
                    advance(tile, scratch, drawn, position)
                    at_x = (sample * positions + position) * connections + first
                    take(grads, grad[sample, position], block * rows)
                    for start in range(0, present, WIDTH):
                        for step in range(start, min(start + WIDTH, present), LANES):
                            sum_ = load(flat_grad_x, at_x + step, LANES)
                            for unit in range(0, present_rows, ROWS):
                                at, bit = place(tile, unit, start, width)
                                sum_ = add_units(
                                    sum_,
                                    tile,
                                    at + step - start,
                                    bit,
                                    grads,
                                    unit,
                                    flat_packed,
                                    unit * width + step,
                                    width,
                                )
                            store(flat_grad_x, at_x + step, sum_)


@compiled
def add_gradient_weight(operands: Any, grad_weight: Any, source: Any, spans: Any) -> None:
    """grad_weight (J, I) = sum_bt g_btj m_bji x_bti for the `spans` of units' blocks and connections' parts."""
    grad, x, _ = operands
    tile, key, drawn = source
    blocks, parts = spans
    samples, positions, connections = x.shape
    units = grad_weight.shape[0]
    rows, width, unit_tiles, tiles = tiling(units, connections)
    flat_x = x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed_grad, grads = np.empty((rows, width), x.dtype), np.empty(rows, x.dtype)
    flat_packed_grad = packed_grad.reshape(-1)
    for part in range(parts[0], parts[1]):
        first = part * width
        present = min(width, connections - first)
        for block in range(blocks[0], blocks[1]):
            present_rows = min(rows, units - block * rows)
            packed_grad[:] = 0
            for sample in range(samples):
                run = run_of(drawn)
                if sample % run == 0:
                    seed_generators(scratch, key + uint64((sample // run * unit_tiles + block) * tiles + part))
                fill(tile, scratch, drawn)
                for position in range(positions):
                    advance(tile, scratch, drawn, position)
                    at_x = (sample * positions + position) * connections + first
                    take(grads, grad[sample, position], block * rows)
                    for start in range(0, present, WIDTH):
                        for step in range(start, min(start + WIDTH, present), LANES):
                            a = load(flat_x, at_x + step, LANES)
                            for unit in range(0, present_rows, ROWS):
                                at, bit = place(tile, unit, start, width)
                                add_outer(
                                    a,
                                    tile,
                                    at + step - start,
                                    bit,
                                    grads,
                                    unit,
                                    flat_packed_grad,
                                    unit * width + step,
                                    width,
                                )
            scatter(packed_grad, grad_weight, block * rows, first)


@compiled
def take(grads: Any, grad: Any, unit: int) -> None:
    """Copies the gradients of a tile's units; those that a tile has beyond the layer's are 0."""
    present = min(grads.shape[0], grad.shape[0] - unit)
    for row in range(present):
        grads[row] = grad[unit + row]
    for row in range(present, grads.shape[0]):
        grads[row] = 0


@compiled
def gather(weight: Any, packed: Any, unit: int, connection: int) -> None:
    """Copies a piece of the weight side by side: rows a power of two apart would push each other out of the cache.

    Units that a tile has beyond the layer's have weights 0.
    """
    present = min(packed.shape[0], weight.shape[0] - unit)
    for row in range(present):
        for column in range(min(packed.shape[1], weight.shape[1] - connection)):
            packed[row, column] = weight[unit + row, connection + column]
    packed[present:] = 0


@compiled
def scatter(packed: Any, weight: Any, unit: int, connection: int) -> None:
    """Copies the piece back: only one thread at a time sums this piece."""
    for row in range(min(packed.shape[0], weight.shape[0] - unit)):
        for column in range(min(packed.shape[1], weight.shape[1] - connection)):
            weight[unit + row, connection + column] = packed[row, column]
