"""The stirred product and its gradients: each draws every factor when it is needed.

The factors of sample b, of a block of units and of a part of the connections form a tile. RUN samples share a key,
which is a counter; so any thread can compute whole runs in any order, and the factors are the same (see `filling`).

A word of bits has the factors of one connection: 8 units of it, for up to four parts of the connections, or 32 units.
Backward takes GROUP samples at once: so a weight is read, and its gradient written, once for all of them.
"""

from typing import Any

import numpy as np
from numba import types, uint64
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.filling import fill_group, sequence_of
from pernodedrop.backends.cpu.lanes import LANES, ROWS, STEP, add_floats, load, splat, store
from pernodedrop.backends.cpu.sums import GROUP, add_group, add_rows, load_group, no_sums, store_group, totals
from pernodedrop.backends.cpu.tiles import DRAWS, STATE, WORDS, seed_generators

WIDTH = 128  # connections whose words lie side by side
WIDEST = DRAWS // ROWS  # connections of a tile


@compiled
def tiling(units: int, connections: int) -> tuple[int, int, int, int]:
    """Units and connections that a tile spans, then the number of tiles along each."""
    width = STEP
    widest = WIDTH if units >= 4 * ROWS else WIDEST
    while width < widest and width < connections:
        width *= 2
    rows = DRAWS // width
    return rows, width, -(-units // rows), -(-connections // width)


def place(tiles: Any, unit: int, connection: int, rows: int, width: int) -> tuple[int, int, int]:
    """Where a tile has the factors of ROWS units from `unit` on, for the connections from `connection` on, a multiple
    of WIDTH or less than it: the first element, the step from a connection to the next, and the first bit, counted from
    the highest."""
    raise NotImplementedError("compiled code calls the overload below")


@overload(place)
def _place(tiles: Any, unit: int, connection: int, rows: int, width: int) -> Any:
    return _place_of_floats if isinstance(tiles.dtype, types.Float) else _place_of_bits


def _place_of_floats(tiles: Any, unit: int, connection: int, rows: int, width: int) -> tuple[int, int, int]:
    return unit * width + connection * ROWS, ROWS, 0


def _place_of_bits(tiles: Any, unit: int, connection: int, rows: int, width: int) -> tuple[int, int, int]:
    slot = (connection // WIDTH * rows + unit) // ROWS
    return slot // 4 * min(width, WIDTH) + connection % WIDTH, 1, slot % 4 * ROWS


@compiled
def add_product(x: Any, weight: Any, y: Any, source: Any, spans: Any) -> None:
    """y_btj += sum_i x_bti m_bji W_ji for the `spans` of samples and of blocks of units.

    x (B, T, I), weight (J, I) and y (B, T, J) are contiguous, I a multiple of STEP, and y has units up to a multiple of
    ROWS. `source` is GROUP tiles as scratch, whose type says whether factors are normal (see `filling.fill`), the key
    and how they are drawn. A span of samples starts with a run.
    """
    tiles, key, drawn = source
    samples, blocks = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    rows, width, unit_tiles, parts = tiling(units, connections)
    length, lasting = sequence_of(drawn, positions)
    flat_x, flat_y, flat_tiles = x.reshape(-1), y.reshape(-1), tiles.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed = np.empty(DRAWS, x.dtype)
    for block in range(blocks[0], blocks[1]):
        present_rows = min(rows, units - block * rows)
        for part in range(parts):
            first = part * width
            present = min(width, connections - first)
            gather(weight, packed, block * rows, first, width)
            for start in range(samples[0] * positions, samples[1] * positions, length):
                seed_generators(scratch, key + uint64((start // length * unit_tiles + block) * parts + part))
                stop = min(start + length, samples[1] * positions)
                for at in range(start, stop, GROUP * lasting):
                    fill_group(tiles, at == start, -(-(stop - at) // lasting), scratch, drawn)
                    for vector in range(at, min(at + GROUP * lasting, stop)):
                        tile = (vector - at) // lasting * tiles.shape[1]
                        at_x = vector * connections + first
                        for unit in range(0, present_rows, ROWS):
                            grown = no_sums(x)
                            for begin in range(0, present, WIDTH):
                                at_tile, next_one, bit = place(tiles, unit, begin, rows, width)
                                for step in range(0, min(WIDTH, present - begin), LANES):
                                    grown = add_rows(
                                        grown,
                                        flat_tiles,
                                        tile + at_tile + next_one * step,
                                        bit,
                                        flat_x,
                                        at_x + begin + step,
                                        packed,
                                        unit * width + (begin + step) * ROWS,
                                    )
                            at_y = vector * y.shape[2] + block * rows + unit
                            store(flat_y, at_y, add_floats(load(flat_y, at_y, ROWS), totals(grown)))


@compiled
def add_gradients(operands: Any, grad_x: Any, grad_weight: Any, source: Any, spans: Any) -> None:
    """Adds the product's gradients for the `spans` of samples, of blocks of units and of parts of the connections.

    Of the operands grad (B, T, J), x (B, T, I) and weight (J, I) of T(x, W, g): grad_x (B, T, I) +=
    sum_j g_btj m_bji W_ji, and grad_weight (J, I) = sum_bt g_btj m_bji x_bti. A span of samples starts with a run.
    """
    grad, x, weight = operands
    tiles, key, drawn = source
    samples, blocks, spanned = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    rows, width, unit_tiles, parts = tiling(units, connections)
    length, lasting = sequence_of(drawn, positions)
    flat_grad, flat_x, flat_tiles = grad.reshape(-1), x.reshape(-1), tiles.reshape(-1)
    flat_grad_x = grad_x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(STATE, np.uint64)
    packed, grown = np.empty(DRAWS, x.dtype), np.empty(DRAWS, x.dtype)
    grads = np.empty(rows * GROUP * LANES, x.dtype)
    at_x, at_tiles = np.empty(GROUP, np.int64), np.empty(GROUP, np.int64)
    for part in range(spanned[0], spanned[1]):
        first = part * width
        present = min(width, connections - first)
        for block in range(blocks[0], blocks[1]):
            present_rows = min(rows, units - block * rows)
            gather(weight, packed, block * rows, first, width)
            grown[:] = 0
            for start in range(samples[0] * positions, samples[1] * positions, length):
                seed_generators(scratch, key + uint64((start // length * unit_tiles + block) * parts + part))
                stop = min(start + length, samples[1] * positions)
                for at in range(start, stop, GROUP * lasting):
                    fill_group(tiles, at == start, -(-(stop - at) // lasting), scratch, drawn)
                    end = min(at + GROUP * lasting, stop)
                    for vector in range(at, end, GROUP):
                        for k in range(GROUP):  # those that a group lacks are its last one again, with gradients 0
                            one = min(vector + k, end - 1)
                            at_x[k] = one * connections + first
                            at_tiles[k] = (one - at) // lasting * tiles.shape[1]
                            present_grads = present_rows if one == vector + k else 0
                            take(grads, k, flat_grad, one * units + block * rows, present_grads)
                        for connection in range(0, present, LANES):
                            a = load_group(flat_x, at_x, connection)
                            sums = load_group(flat_grad_x, at_x, connection)
                            for unit in range(0, present_rows, ROWS):
                                at_tile, _, bit = place(tiles, unit, connection, rows, width)
                                sums = add_group(
                                    sums,
                                    flat_tiles,
                                    at_tiles,
                                    at_tile,
                                    bit,
                                    grads,
                                    unit * GROUP * LANES,
                                    packed,
                                    unit * width + connection * ROWS,
                                    a,
                                    grown,
                                )
                            store_group(flat_grad_x, at_x, connection, sums)
            scatter(grown, grad_weight, block * rows, first, width)


@compiled
def take(grads: Any, k: int, grad: Any, start: int, present: int) -> None:
    """Spreads a sample's gradients of a tile's units over LANES; those that a tile has beyond `present` are 0."""
    for row in range(grads.shape[0] // (GROUP * LANES)):
        value = grad[start + row] if row < present else grad.dtype.type(0)
        store(grads, (row * GROUP + k) * LANES, splat(value, LANES))


@compiled
def gather(weight: Any, packed: Any, unit: int, connection: int, width: int) -> None:
    """Copies a piece of the weight into blocks of ROWS units and LANES connections, those of a unit one after another.

    Units and connections that a tile has beyond the layer's have weights 0.
    """
    packed[:] = 0
    for row in range(min(DRAWS // width, weight.shape[0] - unit)):
        for column in range(min(width, weight.shape[1] - connection)):
            packed[packed_at(row, column, width)] = weight[unit + row, connection + column]


@compiled
def scatter(packed: Any, weight: Any, unit: int, connection: int, width: int) -> None:
    """Copies the piece back: only one thread sums this piece of this copy."""
    for row in range(min(DRAWS // width, weight.shape[0] - unit)):
        for column in range(min(width, weight.shape[1] - connection)):
            weight[unit + row, connection + column] = packed[packed_at(row, column, width)]


@compiled
def packed_at(row: int, column: int, width: int) -> int:
    """Where `gather` has put a weight."""
    return row // ROWS * ROWS * width + column // LANES * ROWS * LANES + row % ROWS * LANES + column % LANES
