# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's kernels take plain positional arguments
"""The stirred product and both of its gradients where every sample has one position and factors are 0 or 1.

A tile has 32 connections, SAMPLES and UNITS; its operands are read once, and its words drawn once, for all factors. The
output sums over connections: each thread has all 32 of its pairs of sample and unit. Of the gradients one sums over the
units and one over the samples: each thread has one connection and several of both, so that one pass over the factors
is enough. That of the weight stays in registers for a tile of units, that of x grows in memory from tile to tile.
"""

import triton.language as tl

from pernodedrop.backends.gpu.factors import GROUP, inner, kernel
from pernodedrop.backends.gpu.matrices import piece, put, turned
from pernodedrop.backends.gpu.quads import decided

_GROUP: tl.constexpr = tl.constexpr(GROUP)


@inner
def _words(key, group, sample, first, keep, UNITS: tl.constexpr, DIGITS: tl.constexpr, TIES: tl.constexpr):
    """Those (S, UNITS) of the units from `first` on, which 4 divides."""
    quad = first // 4 + tl.arange(0, UNITS // 4)
    return decided(key, group, sample[:, None], quad[None, :], keep, DIGITS, TIES)


@kernel
def product(
    x,
    weight,
    y,
    seed,
    samples,
    connections,
    units,
    keep,
    each,
    DIGITS: tl.constexpr,
    TIES: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """y_bj = sum_i f_bji x_bi W_ji: partial sums (parts, samples, units) over `each` groups of connections."""
    across, down = tl.cdiv(units, UNITS), tl.cdiv(samples, SAMPLES)
    program = tl.program_id(0)
    first = program % across * UNITS
    unit = first + tl.arange(0, UNITS)
    sample = program // across % down * SAMPLES + tl.arange(0, SAMPLES)
    part = program // across // down
    lane = tl.arange(0, _GROUP)[:, None, None]
    key = tl.load(seed)
    total = tl.zeros((SAMPLES, UNITS), tl.float32)
    for group in range(part * each, min((part + 1) * each, tl.cdiv(connections, _GROUP))):
        words = _words(key, group, sample, first, keep, UNITS, DIGITS, TIES)
        connection = group * _GROUP + tl.arange(0, _GROUP)
        inputs = turned(x, samples, connections, sample, connection)[:, :, None]
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        kept = ((words[None, :, :] >> lane) & 1) != 0
        total += tl.sum(tl.where(kept, weights, 0.0) * inputs, axis=0)
    put(y + part.to(tl.int64) * samples * units, samples, units, sample, unit, total)


@kernel
def gradients(
    grad,
    x,
    weight,
    grad_x,
    grad_weight,
    seed,
    samples,
    connections,
    units,
    keep,
    splits,
    tiles,
    each,
    DIGITS: tl.constexpr,
    TIES: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_j f_bji g_bj W_ji: partial sums (splits, samples, connections) over `tiles` tiles of units;
    sum_b f_bji g_bj x_bi: partial sums (parts, units, connections) over `each` tiles of samples.
    """
    across = tl.cdiv(connections, _GROUP)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    split = program // across % splits
    part = program // across // splits
    lane = tl.arange(0, _GROUP)[None, None, :]
    key = tl.load(seed)
    grad_x += split.to(tl.int64) * samples * connections
    grad_weight += part.to(tl.int64) * units * connections
    for tile in range(split * tiles, min((split + 1) * tiles, tl.cdiv(units, UNITS))):
        unit = tile * UNITS + tl.arange(0, UNITS)
        weights = piece(weight, units, connections, unit, connection)[None, :, :]
        total = tl.zeros((UNITS, _GROUP), tl.float32)
        for step in range(part * each, min((part + 1) * each, tl.cdiv(samples, SAMPLES))):
            sample = step * SAMPLES + tl.arange(0, SAMPLES)
            words = _words(key, group, sample, tile * UNITS, keep, UNITS, DIGITS, TIES)
            outer = piece(grad, samples, units, sample, unit)[:, :, None]
            inputs = piece(x, samples, connections, sample, connection)[:, None, :]
            kept = tl.where(((words[:, :, None] >> lane) & 1) != 0, outer, 0.0)
            sums = tl.sum(kept * weights, axis=1)
            if tile > split * tiles:
                sums += piece(grad_x, samples, connections, sample, connection)
            put(grad_x, samples, connections, sample, connection, sums)
            total += tl.sum(kept * inputs, axis=0)
        put(grad_weight, units, connections, unit, connection, total)
        tl.debug_barrier()  # the next tile's loads may be other threads' than these stores
