"""The stirred product and its gradients: each draws every factor when it is needed.

The factors of sample b, of a block of units and of a part of the connections form a tile. RUN samples share a key,
which is a counter; so any thread can compute whole runs in any order, and the factors are the same (see `filling`).

A word of bits has the factors of one connection: 8 units of it, for up to four parts of the connections, or 32 units.
Backward takes GROUP samples at once: so a weight is read, and its gradient written, once for all of them.
"""

from typing import Any

from numba import types, uint64
from numba.extending import overload

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.filling import fill_tiles, sequence_of
from pernodedrop.backends.cpu.generators import seed_generators
from pernodedrop.backends.cpu.lanes import BLOCK, LANES, ROWS, STEP, add_floats, load, splat, store
from pernodedrop.backends.cpu.reading import SPREAD
from pernodedrop.backends.cpu.sums import (
    GROUP,
    add_group,
    add_rows,
    factors_of_group,
    load_group,
    no_group,
    no_sums,
    only_first,
    store_group,
    totals,
)
from pernodedrop.backends.cpu.tiles import DRAWS
from pernodedrop.backends.cpu.workspace import CHUNK

WIDTH = 128  # connections whose words lie side by side
WIDEST = DRAWS // ROWS  # connections of a tile
BITS = 32  # of a word


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
    return unit * BLOCK + connection * rows, rows, 0


def _place_of_bits(tiles: Any, unit: int, connection: int, rows: int, width: int) -> tuple[int, int, int]:
    slot = (connection // WIDTH * rows + unit) // ROWS
    return slot // 4 * min(width, WIDTH) + connection % WIDTH, 1, slot % 4 * ROWS


@compiled
def add_product(x: Any, weight: Any, y: Any, source: Any, spans: Any) -> None:
    """y_btj += sum_i x_bti m_bji W_ji for the `spans` of samples and of blocks of units.

    x (B, T, I), weight (J, I) and y (B, T, J) are contiguous, I a multiple of STEP, and y has units up to a multiple of
    ROWS. `source` is the key, how factors are drawn, and a workspace, whose type says whether they are normal. A span
    of samples starts with a run.
    """
    key, drawn, space = source
    samples, blocks = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    at_once = 1 if space.tiles.shape[1] == DRAWS else space.tiles.shape[0]  # a tile of numbers stays in the first cache
    rows, width, unit_tiles, parts = tiling(units, connections)
    length, lasting = sequence_of(drawn, positions)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    for part in range(parts):
        first = part * width
        present = min(width, connections - first)
        for chunk in range(blocks[0], blocks[1], CHUNK):
            until = min(chunk + CHUNK, blocks[1])
            for block in range(chunk, until):
                gather(weight, space.weights, (block - chunk) * DRAWS, block * rows, first, width)
            for start in range(samples[0] * positions, samples[1] * positions, length):
                stop = min(start + length, samples[1] * positions)
                for block in range(chunk, until):
                    seed_generators(space.state, key + uint64((start // length * unit_tiles + block) * parts + part))
                    for at in range(start, stop, at_once * lasting):
                        fill_tiles(space, at == start, min(at_once, -(-(stop - at) // lasting)), drawn)
                        add_vectors(
                            flat_x,
                            flat_y,
                            space,
                            (at, min(at + at_once * lasting, stop), lasting),
                            (at * connections + first, connections, present),
                            (at * y.shape[2] + block * rows, y.shape[2], min(rows, units - block * rows)),
                            ((block - chunk) * DRAWS, rows, width),
                        )


@compiled
def add_vectors(x: Any, y: Any, space: Any, vectors: Any, of_x: Any, of_y: Any, of_weights: Any) -> None:
    """Adds the product of the vectors first to stop - 1, `lasting` of them a tile.

    `of_x` and `of_y` say where the first vector's piece begins, how far the next one's is, and how long it is;
    `of_weights` where the block's weights begin, and its rows and columns.
    """
    first, stop, lasting = vectors
    at_weights, rows, width = of_weights
    tiles = space.tiles.reshape(-1)
    for unit in range(0, of_y[2], ROWS):
        tile, left = 0, lasting
        for vector in range(stop - first):
            at_x, at_y = of_x[0] + vector * of_x[1], of_y[0] + vector * of_y[1] + unit
            sums = no_sums(x)
            for begin in range(0, of_x[2], WIDTH):
                at_tile, next_one, bit = place(space.tiles, unit, begin, rows, width)
                for step in range(0, min(WIDTH, of_x[2] - begin), LANES):
                    sums = add_rows(
                        sums,
                        tiles,
                        tile + at_tile + next_one * step,
                        (next_one, bit),
                        x,
                        at_x + begin + step,
                        space.weights,
                        at_weights + (begin + step) * rows + unit * LANES,
                    )
            store(y, at_y, add_floats(load(y, at_y, ROWS), totals(sums)))
            left -= 1
            if left == 0:
                tile, left = tile + space.tiles.shape[1], lasting


@compiled
def add_gradients(operands: Any, grad_x: Any, grad_weight: Any, source: Any, spans: Any) -> None:
    """The product's gradients for the `spans` of samples, of blocks of units and of parts of the connections.

    Of the operands grad (B, T, J), x (B, T, I) and weight (J, I) of T(x, W, g): grad_x (B T I,) =
    sum_j g_btj m_bji W_ji, or None where it is not wanted, and grad_weight (J, I) = sum_bt g_btj m_bji x_bti. A span of
    samples starts with a run.
    """
    grad, x, weight = operands
    key, drawn, space = source
    samples, blocks, spanned = spans
    positions, connections = x.shape[1], x.shape[2]
    units, at_once = weight.shape[0], space.tiles.shape[0]
    rows, width, unit_tiles, parts = tiling(units, connections)
    length, lasting = sequence_of(drawn, positions)
    flat_grad, flat_x = grad.reshape(-1), x.reshape(-1)
    for part in range(spanned[0], spanned[1]):
        first = part * width
        present = min(width, connections - first)
        for chunk in range(blocks[0], blocks[1], CHUNK):
            until = min(chunk + CHUNK, blocks[1])
            for block in range(chunk, until):
                gather(weight, space.weights, (block - chunk) * DRAWS, block * rows, first, width)
            space.gradients[: (until - chunk) * DRAWS] = 0
            for start in range(samples[0] * positions, samples[1] * positions, length):
                stop = min(start + length, samples[1] * positions)
                for block in range(chunk, until):
                    seed_generators(space.state, key + uint64((start // length * unit_tiles + block) * parts + part))
                    for at in range(start, stop, at_once * lasting):
                        fill_tiles(space, at == start, -(-(stop - at) // lasting), drawn)
                        end = min(at + at_once * lasting, stop)
                        for vector in range(at, end, GROUP):
                            add_gradients_of_vectors(
                                (flat_grad, flat_x, grad_x),
                                space,
                                (vector, min(vector + GROUP, end), vector - at, lasting, block == blocks[0]),
                                (first, connections, present),
                                (block * rows, units, min(rows, units - block * rows)),
                                ((block - chunk) * DRAWS, rows, width),
                            )
            for block in range(chunk, until):
                scatter(space.gradients, (block - chunk) * DRAWS, grad_weight, block * rows, first, width)


@compiled
def add_gradients_of_vectors(arrays: Any, space: Any, vectors: Any, of_x: Any, of_grad: Any, of_weights: Any) -> None:
    """Adds the gradients of the vectors first to stop - 1, GROUP at most.

    `vectors` also says how many come before them in the tiles, how many share one, and whether grad_x has nothing yet;
    see `add_vectors`.
    """
    grad, x, grad_x = arrays
    first, stop, before, lasting, begins = vectors
    at_weights, rows, width = of_weights
    tiles, at_x, at_tiles = space.tiles.reshape(-1), space.at_x, space.at_tiles
    for k in range(GROUP):  # those that are lacking are the last one again, with gradients 0
        one = min(first + k, stop - 1)
        at_x[k] = one * of_x[1] + of_x[0]
        at_tiles[k] = (one - first + before) // lasting * space.tiles.shape[1]
        present = of_grad[2] if one == first + k else 0
        take(space.grads, k, rows, grad, one * of_grad[1] + of_grad[0], present)
    for connection in range(0, of_x[2], LANES):
        values = only_first(load_group(x, at_x, connection), stop - first)  # 0 times an infinite one would be nan
        sums = no_group(grad_x) if begins else load_group(grad_x, at_x, connection)
        for begin in range(0, of_grad[2], BITS):
            at_tile, next_one, bit = place(space.tiles, begin, connection, rows, width)
            factors = factors_of_group(tiles, at_tiles, at_tile, (next_one, bit))
            for unit in range(begin, min(begin + BITS, of_grad[2]), ROWS):
                sums, factors = add_group(
                    sums,
                    factors,
                    tiles,
                    (next_one, bit),
                    space.grads,
                    unit * GROUP * SPREAD,
                    space.weights,
                    at_weights + connection * rows + unit * LANES,
                    values,
                    space.gradients,
                )
        store_group(grad_x, at_x, connection, sums)


@compiled
def take(grads: Any, k: int, rows: int, grad: Any, start: int, present: int) -> None:
    """Puts down a vector's gradients of a tile's units, each SPREAD times; those that a tile has beyond `present` are
    0."""
    for row in range(present):
        store(grads, (row * GROUP + k) * SPREAD, splat(grad[start + row], SPREAD))
    for row in range(present, rows):
        store(grads, (row * GROUP + k) * SPREAD, splat(grad.dtype.type(0), SPREAD))


@compiled
def gather(weight: Any, packed: Any, start: int, unit: int, connection: int, width: int) -> None:
    """Copies a piece of the weight to packed[start : start + DRAWS], LANES connections of every unit side by side.

    Units and connections that a tile has beyond the layer's have weights 0.
    """
    packed[start : start + DRAWS] = 0
    flat_weight = weight.reshape(-1)
    for row in range(min(DRAWS // width, weight.shape[0] - unit)):
        at = (unit + row) * weight.shape[1] + connection
        for column in range(0, min(width, weight.shape[1] - connection), LANES):
            store(packed, start + packed_at(row, column, width), load(flat_weight, at + column, LANES))


@compiled
def scatter(packed: Any, start: int, weight: Any, unit: int, connection: int, width: int) -> None:
    """Copies the piece back: only one thread sums this piece of this copy."""
    flat_weight = weight.reshape(-1)
    for row in range(min(DRAWS // width, weight.shape[0] - unit)):
        at = (unit + row) * weight.shape[1] + connection
        for column in range(0, min(width, weight.shape[1] - connection), LANES):
            store(flat_weight, at + column, load(packed, start + packed_at(row, column, width), LANES))


@compiled
def packed_at(row: int, column: int, width: int) -> int:
    """Where a piece has the LANES weights from `column` on, a multiple of LANES."""
    return column * (DRAWS // width) + row * LANES
