# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's kernels take plain positional arguments
"""The stirred product and its gradients where every sample has one position and factors are normal.

`bernoulli` serves factors of 0 and 1.

All three are sums of f_bji p q over one of the indices b, j, i, where p and q are two of x_bi, W_ji and g_bj. So they
share a tile: (GROUP connections, SAMPLES, UNITS), each thread with all connections of its pairs of sample and unit.
Operands are read once a tile, whatever the number of factors that meet them; sums stay in registers until the last
tile. A program takes `each` tiles of its sum and writes a partial sum into slice `part` of the result.
"""

import triton.language as tl

from pernodedrop.backends.gpu.factors import GROUP, kernel, stirred
from pernodedrop.backends.gpu.matrices import piece, put, turned

_GROUP: tl.constexpr = tl.constexpr(GROUP)


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
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """y_bj = sum_i f_bji x_bi W_ji: partial sums (parts, samples, units) over the connections."""
    across, down = tl.cdiv(units, UNITS), tl.cdiv(samples, SAMPLES)
    program = tl.program_id(0)
    unit = program % across * UNITS + tl.arange(0, UNITS)
    sample = program // across % down * SAMPLES + tl.arange(0, SAMPLES)
    part = program // across // down
    key = tl.load(seed)
    total = tl.zeros((_GROUP, SAMPLES, UNITS), tl.float32)
    for group in range(part * each, min((part + 1) * each, tl.cdiv(connections, _GROUP))):
        connection = group * _GROUP + tl.arange(0, _GROUP)
        inputs = turned(x, samples, connections, sample, connection)[:, :, None]
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        total += stirred(weights, key, group, sample[:, None], unit[None, :], keep, sigma, CALLS, NORMAL) * inputs
    put(y + part.to(tl.int64) * samples * units, samples, units, sample, unit, tl.sum(total, axis=0))


@kernel
def gradient_x(
    grad,
    weight,
    grad_x,
    seed,
    samples,
    connections,
    units,
    keep,
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_j f_bji g_bj W_ji: partial sums (parts, samples, connections) over the units."""
    across, down = tl.cdiv(connections, _GROUP), tl.cdiv(samples, SAMPLES)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    sample = program // across % down * SAMPLES + tl.arange(0, SAMPLES)
    part = program // across // down
    key = tl.load(seed)
    total = tl.zeros((_GROUP, SAMPLES, UNITS), tl.float32)
    for tile in range(part * each, min((part + 1) * each, tl.cdiv(units, UNITS))):
        unit = tile * UNITS + tl.arange(0, UNITS)
        outer = piece(grad, samples, units, sample, unit)[None, :, :]
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        total += stirred(weights, key, group, sample[:, None], unit[None, :], keep, sigma, CALLS, NORMAL) * outer
    place = grad_x + part.to(tl.int64) * samples * connections
    put(place, samples, connections, sample, connection, tl.trans(tl.sum(total, axis=2)))


@kernel
def gradient_weight(
    grad,
    x,
    grad_weight,
    seed,
    samples,
    connections,
    units,
    keep,
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_b f_bji g_bj x_bi: partial sums (parts, units, connections) over the samples."""
    across, down = tl.cdiv(connections, _GROUP), tl.cdiv(units, UNITS)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    unit = program // across % down * UNITS + tl.arange(0, UNITS)
    part = program // across // down
    key = tl.load(seed)
    total = tl.zeros((_GROUP, SAMPLES, UNITS), tl.float32)
    for tile in range(part * each, min((part + 1) * each, tl.cdiv(samples, SAMPLES))):
        sample = tile * SAMPLES + tl.arange(0, SAMPLES)
        outer = piece(grad, samples, units, sample, unit)[None, :, :]
        inputs = turned(x, samples, connections, sample, connection)[:, :, None]
        total += stirred(inputs, key, group, sample[:, None], unit[None, :], keep, sigma, CALLS, NORMAL) * outer
    place = grad_weight + part.to(tl.int64) * units * connections
    put(place, units, connections, unit, connection, tl.trans(tl.sum(total, axis=1)))
