"""The sums of the stirred product: masked or multiplied by a tile's factors, for ROWS units at a time.

A unit's factors are a bit of each connection's word, counted from the highest: AVX2 and AVX-512 select by a sign as it
is. In a tile of floats they lie as weights do.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from pernodedrop.backends.cpu.lanes import (
    CONTRACT,
    LANES,
    ROWS,
    SHORT,
    Lanes,
    address,
    bytes_of,
    constant,
    element_at,
    multiply_add,
    operation,
    read,
    spread,
)


@operation
def no_sums(_context: Any, array: Any) -> Any:
    """ROWS times SHORT zeros of the array's type, for `add_rows`."""
    sums = types.UniTuple(Lanes(array.dtype, SHORT), ROWS)  # type: ignore[no-untyped-call]

    def lower(context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(context.get_value_type(sums), None)

    return sums(array), lower


@operation
def add_rows(
    _context: Any, sums: Any, tile: Any, at: Any, row: Any, x: Any, at_x: Any, weight: Any, at_weight: Any, width: Any
) -> Any:
    """sums[r] + m * x * weight for ROWS units from `row` of a group on, over SHORT connections.

    The unit r has its weights at `at_weight + r * width`. Its factors m are in a tile of words their bit 31 - row - r,
    from the word `at` on; in a tile of floats they lie as weights do, from `at` on.
    """
    lanes = sums.dtype

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        before, at_first, first_row, at_weights, step = args[0], args[2], args[3], args[7], args[8]
        a = read(context, builder, kinds[4], args[4], args[5], SHORT)
        bits = None
        if not isinstance(tile.dtype, types.Float):
            bits = read(context, builder, kinds[1], args[1], at_first, SHORT)
            bits = builder.shl(bits, spread(builder, builder.trunc(first_row, ir.IntType(32)), SHORT))
        result, place, factors = before, at_weights, at_first
        for unit in range(ROWS):
            c = builder.extract_value(before, unit)
            b = read(context, builder, kinds[6], args[6], place, SHORT)
            if bits is None:
                m = read(context, builder, kinds[1], args[1], factors, SHORT)
                grown = multiply_add(builder, builder.fmul(m, a, flags=CONTRACT), b, c)
                factors = builder.add(factors, step)
            else:
                grown = builder.select(_kept(builder, bits, unit), multiply_add(builder, a, b, c), c)
            result = builder.insert_value(result, grown, unit)
            place = builder.add(place, step)
        return result

    index = types.int64
    return sums(sums, tile, index, index, x, index, weight, index, index), lower if lanes.count == SHORT else None


@operation
def totals(_context: Any, sums: Any) -> Any:
    """The sums over the lanes of each of ROWS, side by side."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], unit) for unit in range(ROWS)]
        count = SHORT
        while count > ROWS:
            vectors = [_halves(builder, [each], count // 2) for each in vectors]
            count //= 2
        parts = 1  # how many sums a vector has
        while len(vectors) > 1:
            vectors = [
                _halves(builder, list(pair), count // parts // 2)
                for pair in zip(vectors[::2], vectors[1::2], strict=True)
            ]
            parts *= 2
        return vectors[0]

    return Lanes(sums.dtype.element, ROWS)(sums), lower


def _halves(builder: Any, vectors: list[Any], half: int) -> Any:
    """Of each run of 2 * half lanes, the first half plus the second half; two vectors one after the other."""
    count = vectors[0].type.count
    other = vectors[1] if len(vectors) > 1 else vectors[0]
    firsts = [
        vector * count + run + lane
        for vector in range(len(vectors))
        for run in range(0, count, 2 * half)
        for lane in range(half)
    ]
    index = ir.VectorType(ir.IntType(32), len(firsts))
    first = builder.shuffle_vector(vectors[0], other, ir.Constant(index, firsts))
    second = builder.shuffle_vector(vectors[0], other, ir.Constant(index, [lane + half for lane in firsts]))
    return builder.fadd(first, second)


@operation
def add_units(
    _context: Any,
    sum_: Lanes,
    tile: Any,
    at: Any,
    row: Any,
    grads: Any,
    at_grads: Any,
    weight: Any,
    at_weight: Any,
    width: Any,
) -> Any:
    """sum_ + m * grad * weight over ROWS units from `row` of a group on, for LANES connections; see `add_rows`."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        result = args[0]
        for m, place in _masked(context, builder, kinds, args):
            result = multiply_add(builder, m, read(context, builder, kinds[6], args[6], place, LANES), result)
        return result

    index = types.int64
    return sum_(sum_, tile, index, index, grads, index, weight, index, index), lower


@operation
def add_outer(
    _context: Any,
    x: Lanes,
    tile: Any,
    at: Any,
    row: Any,
    grads: Any,
    at_grads: Any,
    sums: Any,
    at_sums: Any,
    width: Any,
) -> Any:
    """sums += m * grad * x for ROWS units and LANES connections; see `add_rows`."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        for m, place in _masked(context, builder, kinds, args):
            _grow(context, builder, sums, args[6], place, m, args[0])
        return context.get_dummy_value()

    index = types.int64
    return types.void(x, tile, index, index, grads, index, sums, index, index), lower


@operation
def add_both(
    _context: Any,
    sum_: Lanes,
    tile: Any,
    at: Any,
    row: Any,
    grads: Any,
    at_grads: Any,
    weight: Any,
    at_weight: Any,
    width: Any,
    x: Any,
    sums: Any,
) -> Any:
    """What `add_units` and `add_outer` do, from one reading of the factors; returns the sum."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        result = args[0]
        for m, place in _masked(context, builder, kinds, args):
            result = multiply_add(builder, m, read(context, builder, kinds[6], args[6], place, LANES), result)
            _grow(context, builder, sums, args[10], place, m, args[9])
        return result

    index = types.int64
    return sum_(sum_, tile, index, index, grads, index, weight, index, index, x, sums), lower


def _grow(context: Any, builder: Any, kind: Any, sums: Any, place: Any, m: Any, x: Any) -> None:
    """sums[place : place + LANES] += m * x."""
    grown = multiply_add(builder, m, x, read(context, builder, kind, sums, place, LANES))
    builder.store(grown, address(context, builder, kind, sums, place, LANES), align=bytes_of(kind))


def _masked(context: Any, builder: Any, kinds: Any, args: Any) -> Any:
    """m * grad of ROWS units, and where the unit's weights lie."""
    at, row, at_grads, place, step = args[2], args[3], args[5], args[7], args[8]
    tile = kinds[1]
    bits = None
    if not isinstance(tile.dtype, types.Float):
        bits = read(context, builder, tile, args[1], at, LANES)
        bits = builder.shl(bits, spread(builder, builder.trunc(row, ir.IntType(32)), LANES))
    for unit in range(ROWS):
        index = builder.add(at_grads, ir.Constant(at_grads.type, unit))
        grad = spread(builder, builder.load(element_at(context, builder, kinds[4], args[4], index)), LANES)
        if bits is None:
            m = builder.fmul(read(context, builder, tile, args[1], at, LANES), grad, flags=CONTRACT)
            at = builder.add(at, step)
        else:
            m = builder.select(_kept(builder, bits, unit), grad, ir.Constant(grad.type, None))
        yield m, place
        place = builder.add(place, step)


def _kept(builder: Any, bits: Any, unit: int) -> Any:
    """Whether the bit `_SIGN - unit` is set: AVX2 and AVX-512 select by a sign as it is."""
    shifted = builder.shl(bits, constant(bits.type, unit)) if unit else bits
    return builder.icmp_signed("<", shifted, constant(bits.type, 0))
