# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's kernels take plain positional arguments
"""The stirred product and its gradients where the positions of a sample share its mask.

A stirred piece (GROUP, UNITS) of one sample's weight meets POSITIONS positions in one matrix product. A program takes
`each` tiles of its sum and writes a partial sum into slice `part` of the result, as in `single`.
"""

import triton.language as tl

from pernodedrop.backends.gpu.factors import GROUP, inner, kernel, stirred
from pernodedrop.backends.gpu.matrices import piece, put, turned

_GROUP: tl.constexpr = tl.constexpr(GROUP)


@inner
def _stirred(values, key, group, sample, unit, keep, sigma, CALLS: tl.constexpr, NORMAL: tl.constexpr):
    """Values (GROUP, 1, UNITS) times the factors of one sample."""
    one = tl.zeros((1, 1), tl.int32) + sample
    return stirred(values, key, group, one, unit[None, :], keep, sigma, CALLS, NORMAL)


@kernel
def product(
    x,
    weight,
    y,
    seed,
    samples,
    positions,
    connections,
    units,
    keep,
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    POSITIONS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """y_btj = sum_i f_bji x_bti W_ji: partial sums (parts, samples, positions, units) over the connections."""
    across, down = tl.cdiv(units, UNITS), tl.cdiv(positions, POSITIONS)
    program = tl.program_id(0)
    unit = program % across * UNITS + tl.arange(0, UNITS)
    position = program // across % down * POSITIONS + tl.arange(0, POSITIONS)
    sample = program // across // down % samples
    part = program // across // down // samples
    x += sample.to(tl.int64) * positions * connections
    y += (part.to(tl.int64) * samples + sample) * positions * units
    key = tl.load(seed)
    total = tl.zeros((POSITIONS, UNITS), tl.float32)
    for group in range(part * each, min((part + 1) * each, tl.cdiv(connections, _GROUP))):
        connection = group * _GROUP + tl.arange(0, _GROUP)
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        weights = _stirred(weights, key, group, sample, unit, keep, sigma, CALLS, NORMAL)
        inputs = piece(x, positions, connections, position, connection)
        total += tl.dot(inputs, tl.reshape(weights, (_GROUP, UNITS)), input_precision="ieee")
    put(y, positions, units, position, unit, total)


@kernel
def gradient_x(
    grad,
    weight,
    grad_x,
    seed,
    samples,
    positions,
    connections,
    units,
    keep,
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    POSITIONS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_j f_bji g_btj W_ji: partial sums (parts, samples, positions, connections) over the units."""
    across, down = tl.cdiv(connections, _GROUP), tl.cdiv(positions, POSITIONS)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    position = program // across % down * POSITIONS + tl.arange(0, POSITIONS)
    sample = program // across // down % samples
    part = program // across // down // samples
    grad += sample.to(tl.int64) * positions * units
    grad_x += (part.to(tl.int64) * samples + sample) * positions * connections
    key = tl.load(seed)
    total = tl.zeros((POSITIONS, _GROUP), tl.float32)
    for tile in range(part * each, min((part + 1) * each, tl.cdiv(units, UNITS))):
        unit = tile * UNITS + tl.arange(0, UNITS)
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        weights = tl.reshape(_stirred(weights, key, group, sample, unit, keep, sigma, CALLS, NORMAL), (_GROUP, UNITS))
        total += tl.dot(piece(grad, positions, units, position, unit), tl.trans(weights), input_precision="ieee")
    put(grad_x, positions, connections, position, connection, total)


@kernel
def gradient_weight(
    grad,
    x,
    grad_weight,
    seed,
    samples,
    positions,
    connections,
    units,
    keep,
    sigma,
    each,
    CALLS: tl.constexpr,
    NORMAL: tl.constexpr,
    POSITIONS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_bt f_bji g_btj x_bti: partial sums (parts, units, connections) over the samples."""
    across, down = tl.cdiv(connections, _GROUP), tl.cdiv(units, UNITS)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    unit = program // across % down * UNITS + tl.arange(0, UNITS)
    part = program // across // down
    key = tl.load(seed)
    total = tl.zeros((_GROUP, 1, UNITS), tl.float32)
    for sample in range(part * each, min((part + 1) * each, samples)):
        here = tl.zeros((), tl.int64) + sample
        outer = tl.zeros((_GROUP, UNITS), tl.float32)
        for first in range(0, positions, POSITIONS):
            position = first + tl.arange(0, POSITIONS)
            g = piece(grad + here * positions * units, positions, units, position, unit)
            inputs = piece(x + here * positions * connections, positions, connections, position, connection)
            outer += tl.dot(tl.trans(inputs), g, input_precision="ieee")
        total += _stirred(outer[:, None, :], key, group, sample, unit, keep, sigma, CALLS, NORMAL)
    place = grad_weight + part.to(tl.int64) * units * connections
    put(place, units, connections, unit, connection, tl.trans(tl.reshape(total, (_GROUP, UNITS))))
