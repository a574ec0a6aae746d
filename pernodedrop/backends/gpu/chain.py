# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's kernels take plain positional arguments
"""The stirred product and its gradients where a sample's factors change over time: see `backends.factors.Chain`.

A tile is as in `single`, with a word of 32 factors for each of its pairs of sample and unit. A program walks with it
over the positions from the first on, and the words stay in registers: forward and backward draw the same numbers in the
same order. What one tile adds to a sum over tiles lies in slice `part` of the result, which no other program writes.
"""

import triton.language as tl

from pernodedrop.backends.gpu.factors import GROUP, MOST_CALLS, decisions, inner, kernel
from pernodedrop.backends.gpu.matrices import piece, put, turned

_GROUP: tl.constexpr = tl.constexpr(GROUP)
_CALLS: tl.constexpr = tl.constexpr(MOST_CALLS)


@inner
def _words(key, group, sample, unit, keep, first, CALLS: tl.constexpr):
    """Bits (S, U) that are set with probability keep / 2^(4 CALLS), all where CALLS is 0, from call `first` on."""
    down, across = sample[:, None], unit[None, :]
    if CALLS == 0:
        return ~(down * 0 + across * 0)
    return decisions(key, group, down, across, keep, first, CALLS)


@inner
def _next(words, key, group, sample, unit, step, copies, fresh, flip, COPY: tl.constexpr, FRESH: tl.constexpr):
    """The words of position `step`, from those before it; `flip` is -1 where their complement is copied, else 0."""
    first = step * (2 * _CALLS)
    copied = _words(key, group, sample, unit, copies, first, COPY)
    drawn = _words(key, group, sample, unit, fresh, first + _CALLS, FRESH)
    return drawn ^ (copied & (drawn ^ words ^ flip))


@inner
def _chosen(values, words):
    """Values, broadcast to (GROUP, S, U), where the bits of words (S, U) are set, else 0."""
    lane = tl.arange(0, _GROUP)[:, None, None]
    return tl.where(((words[None, :, :] >> lane) & 1) != 0, values, 0.0)


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
    copies,
    fresh,
    flip,
    rows,
    each,
    CALLS: tl.constexpr,
    COPY: tl.constexpr,
    FRESH: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """y_btj = sum_i f_btji x_bti W_ji: partial sums (parts, samples, positions, units) over the connections."""
    across, down = tl.cdiv(units, UNITS), tl.cdiv(samples, SAMPLES)
    program = tl.program_id(0)
    unit = program % across * UNITS + tl.arange(0, UNITS)
    sample = program // across % down * SAMPLES + tl.arange(0, SAMPLES)
    part = program // across // down
    y += part.to(tl.int64) * samples * positions * units
    key = tl.load(seed)
    for group in range(part * each, min((part + 1) * each, tl.cdiv(connections, _GROUP))):
        connection = group * _GROUP + tl.arange(0, _GROUP)
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        words = _words(key, group, sample, unit, keep, 0, CALLS)
        for position in range(positions):
            if position > 0 and position % rows == 0:
                words = _next(words, key, group, sample, unit, position // rows, copies, fresh, flip, COPY, FRESH)
            row = sample * positions + position
            inputs = turned(x, samples * positions, connections, row, connection)[:, :, None]
            sums = tl.sum(_chosen(weights * inputs, words), axis=0)
            if group > part * each:
                sums += piece(y, samples * positions, units, row, unit)
            put(y, samples * positions, units, row, unit, sums)
        tl.debug_barrier()  # the next group's loads may be other threads' than these stores


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
    copies,
    fresh,
    flip,
    rows,
    each,
    CALLS: tl.constexpr,
    COPY: tl.constexpr,
    FRESH: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_j f_btji g_btj W_ji: partial sums (parts, samples, positions, connections) over the units."""
    across, down = tl.cdiv(connections, _GROUP), tl.cdiv(samples, SAMPLES)
    program = tl.program_id(0)
    group = program % across
    connection = group * _GROUP + tl.arange(0, _GROUP)
    sample = program // across % down * SAMPLES + tl.arange(0, SAMPLES)
    part = program // across // down
    grad_x += part.to(tl.int64) * samples * positions * connections
    key = tl.load(seed)
    for tile in range(part * each, min((part + 1) * each, tl.cdiv(units, UNITS))):
        unit = tile * UNITS + tl.arange(0, UNITS)
        weights = turned(weight, units, connections, unit, connection)[:, None, :]
        words = _words(key, group, sample, unit, keep, 0, CALLS)
        for position in range(positions):
            if position > 0 and position % rows == 0:
                words = _next(words, key, group, sample, unit, position // rows, copies, fresh, flip, COPY, FRESH)
            row = sample * positions + position
            outer = piece(grad, samples * positions, units, row, unit)[None, :, :]
            sums = tl.trans(tl.sum(_chosen(weights * outer, words), axis=2))
            if tile > part * each:
                sums += piece(grad_x, samples * positions, connections, row, connection)
            put(grad_x, samples * positions, connections, row, connection, sums)
        tl.debug_barrier()


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
    copies,
    fresh,
    flip,
    rows,
    each,
    CALLS: tl.constexpr,
    COPY: tl.constexpr,
    FRESH: tl.constexpr,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """sum_bt f_btji g_btj x_bti: partial sums (parts, units, connections) over the samples."""
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
        words = _words(key, group, sample, unit, keep, 0, CALLS)
        for position in range(positions):
            if position > 0 and position % rows == 0:
                words = _next(words, key, group, sample, unit, position // rows, copies, fresh, flip, COPY, FRESH)
            row = sample * positions + position
            outer = piece(grad, samples * positions, units, row, unit)[None, :, :]
            inputs = turned(x, samples * positions, connections, row, connection)[:, :, None]
            total += _chosen(inputs * outer, words)
    place = grad_weight + part.to(tl.int64) * units * connections
    put(place, units, connections, unit, connection, tl.trans(tl.sum(total, axis=1)))
