"""The stirred product and its gradients: each draws every factor when it is needed.

The factors of sample b, of a block of units and of a block of connections form a tile. RUN samples share a key, which
is a counter; so any thread can compute whole runs in any order, and the factors are the same. Where factors change over
time, a sample's tile is moved on from row to row, always from the first on, and each sample has a key.
"""

from typing import Any

import numpy as np
from numba import uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.chains import advance, run_of
from pernodedrop.backends.cpu.lanes import LANES, add_stirred, load, splat, store, total
from pernodedrop.backends.cpu.tiles import ROWS, WORDS, fill, seed_generators

MAX_CHUNKS = 512 // LANES  # a tile spans at most 512 connections of a unit


@compiled
def tiling(units: int, connections: int) -> tuple[int, int, int, int]:
    """Units and chunks of connections that a tile spans, then the number of tiles along each."""
    chunks = 1
    while chunks < MAX_CHUNKS and chunks * LANES < connections:
        chunks *= 2
    rows = ROWS // chunks
    return rows, chunks, -(-units // rows), -(-connections // (chunks * LANES))


@compiled
def add_product(x: Any, weight: Any, y: Any, source: Any, spans: Any) -> None:
    """y_btj += sum_i x_bti m_bji W_ji for the `spans` of samples and of blocks of units.

    x (B, T, I), weight (J, I) and y (B, T, J) are contiguous, I a multiple of LANES. `source` is a tile as scratch,
    whose type says whether factors are normal (see `tiles.fill`), the key and the `Factors`. A span of samples starts
    with a run.
    """
    tile, key, drawn = source
    samples, blocks = spans
    positions, connections = x.shape[1], x.shape[2]
    units = weight.shape[0]
    rows, chunks, unit_tiles, tiles = tiling(units, connections)
    flat_x = x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(2 * WORDS, np.uint64)
    zeros = np.zeros(LANES, x.dtype)
    packed = np.empty((rows, chunks * LANES), x.dtype)
    flat_packed = packed.reshape(-1)
    for block in range(blocks[0], blocks[1]):
        present_rows = min(rows, units - block * rows)
        for part in range(tiles):
            first = part * chunks * LANES
            present = min(chunks, (connections - first) // LANES)
            gather(weight, packed, block * rows, first)
            for sample in range(samples[0], samples[1]):
                run = run_of(drawn)
                if sample % run == 0:
                    seed_generators(scratch, key + uint64((sample // run * unit_tiles + block) * tiles + part))
                fill(tile, scratch, drawn)
                for position in range(positions):
                    advance(tile, scratch, drawn, position)
                    at_x = (sample * positions + position) * connections + first
                    for row in range(present_rows):
                        sum_ = load(zeros, 0)
                        for chunk in range(present):
                            at = row * chunks + chunk
                            a, b = load(flat_x, at_x + chunk * LANES), load(flat_packed, at * LANES)
                            sum_ = add_stirred(tile, at, a, b, sum_)
                        y[sample, position, block * rows + row] += total(sum_)


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
    rows, chunks, unit_tiles, tiles = tiling(units, connections)
    flat_x, flat_grad_x = x.reshape(-1), grad_x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(2 * WORDS, np.uint64)
    packed, packed_grad = np.empty((rows, chunks * LANES), x.dtype), np.empty((rows, chunks * LANES), x.dtype)
    flat_packed, flat_packed_grad = packed.reshape(-1), packed_grad.reshape(-1)
    for part in range(parts[0], parts[1]):
        first = part * chunks * LANES
        present = min(chunks, (connections - first) // LANES)
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
                    for chunk in range(present):
                        a = load(flat_x, at_x + chunk * LANES)
                        sum_ = load(flat_grad_x, at_x + chunk * LANES)
                        for row in range(present_rows):
                            at = row * chunks + chunk
                            g = splat(grad[sample, position, block * rows + row])
                            sum_ = add_stirred(tile, at, g, load(flat_packed, at * LANES), sum_)
                            grown = add_stirred(tile, at, g, a, load(flat_packed_grad, at * LANES))
                            store(flat_packed_grad, at * LANES, grown)
                        store(flat_grad_x, at_x + chunk * LANES, sum_)
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
    rows, chunks, unit_tiles, tiles = tiling(units, connections)
    flat_grad_x = grad_x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(2 * WORDS, np.uint64)
    packed = np.empty((rows, chunks * LANES), x.dtype)
    flat_packed = packed.reshape(-1)
    for part in range(parts[0], parts[1]):
        first = part * chunks * LANES
        present = min(chunks, (connections - first) // LANES)
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
                    for chunk in range(present):
                        sum_ = load(flat_grad_x, at_x + chunk * LANES)
                        for row in range(present_rows):
                            at = row * chunks + chunk
                            g = splat(grad[sample, position, block * rows + row])
                            sum_ = add_stirred(tile, at, g, load(flat_packed, at * LANES), sum_)
                        store(flat_grad_x, at_x + chunk * LANES, sum_)


@compiled
def add_gradient_weight(operands: Any, grad_weight: Any, source: Any, spans: Any) -> None:
    """grad_weight (J, I) = sum_bt g_btj m_bji x_bti for the `spans` of units' blocks and connections' parts."""
    grad, x, _ = operands
    tile, key, drawn = source
    blocks, parts = spans
    samples, positions, connections = x.shape
    units = grad_weight.shape[0]
    rows, chunks, unit_tiles, tiles = tiling(units, connections)
    flat_x = x.reshape(-1)
    scratch = np.empty(WORDS, np.uint64), np.empty(2 * WORDS, np.uint64)
    packed_grad = np.empty((rows, chunks * LANES), x.dtype)
    flat_packed_grad = packed_grad.reshape(-1)
    for part in range(parts[0], parts[1]):
        first = part * chunks * LANES
        present = min(chunks, (connections - first) // LANES)
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
                    for chunk in range(present):
                        a = load(flat_x, at_x + chunk * LANES)
                        for row in range(present_rows):
                            at = row * chunks + chunk
                            g = splat(grad[sample, position, block * rows + row])
                            grown = add_stirred(tile, at, g, a, load(flat_packed_grad, at * LANES))
                            store(flat_packed_grad, at * LANES, grown)
            scatter(packed_grad, grad_weight, block * rows, first)


@compiled
def gather(weight: Any, packed: Any, unit: int, connection: int) -> None:
    """Copies a piece of the weight side by side: rows a power of two apart would push each other out of the cache."""
    for row in range(min(packed.shape[0], weight.shape[0] - unit)):
        for column in range(min(packed.shape[1], weight.shape[1] - connection)):
            packed[row, column] = weight[unit + row, connection + column]


@compiled
def scatter(packed: Any, weight: Any, unit: int, connection: int) -> None:
    """Copies the piece back: only one thread at a time sums this piece."""
    for row in range(min(packed.shape[0], weight.shape[0] - unit)):
        for column in range(min(packed.shape[1], weight.shape[1] - connection)):
            weight[unit + row, connection + column] = packed[row, column]
