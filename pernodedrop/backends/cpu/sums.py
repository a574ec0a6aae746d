"""The sums of the stirred product: masked or multiplied by a tile's factors, for ROWS units and LANES connections.

`reading` knows how a unit's factors are read.
None in place of an array of sums stands for sums that nobody wants: nothing is computed of them.
Weights lie in blocks of ROWS x LANES, so that a block is read from one place on.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from pernodedrop.backends.cpu.lanes import LANES, ROWS, Lanes, address, bytes_of, element_at, operation, read
from pernodedrop.backends.cpu.reading import SPREAD, Number, reader

GROUP = 4  # samples that share one reading of the weights
assert LANES % ROWS == 0, "`totals` makes one vector of as many"

_INDEX = types.int64


@operation
def no_sums(_context: Any, array: Any) -> Any:
    """ROWS times LANES zeros of the array's type, for `add_rows`."""
    return _zeros(array, ROWS)


@operation
def no_group(_context: Any, array: Any) -> Any:
    """GROUP times LANES zeros of the array's type, for `add_group`."""
    return _zeros(array, GROUP)


def _zeros(array: Any, count: int) -> Any:
    if array == types.none:
        return types.none(array), _nothing
    zeros = types.UniTuple(Lanes(array.dtype, LANES), count)  # type: ignore[no-untyped-call]

    def lower(context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(context.get_value_type(zeros), None)

    return zeros(array), lower


@operation
def add_rows(
    _context: Any, sums: Any, tile: Any, at: Any, lie: Any, x: Any, at_x: Any, weight: Any, at_weight: Any
) -> Any:
    """sums[r] + m * x * weight for the ROWS units of the block of weights at `at_weight`.

    The factors m are at `at`, and lie as `products.place` says: the step from a connection to the next, and the first
    unit's bit.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        a = read(context, builder, kinds[4], args[4], args[5], LANES)
        factors = reader(kinds[1])(context, builder, (kinds[1], args[1]), args[3])
        place = factors.begun(args[2])
        block = element_at(context, builder, kinds[6], args[6], args[7])
        result = args[0]
        for unit in range(ROWS):
            product, place = factors.product(place, unit, Number(builder, block, unit * LANES, a.type))
            result = builder.insert_value(result, product.times_plus(a, _part(builder, result, unit)), unit)
        return result

    return sums(sums, tile, _INDEX, lie, x, _INDEX, weight, _INDEX), lower


@operation
def totals(_context: Any, sums: Any) -> Any:
    """The sums over the lanes of each of ROWS, side by side."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vectors = [_part(builder, args[0], unit) for unit in range(ROWS)]
        half = LANES // 2
        while len(vectors) > 1:
            pairs = zip(vectors[: len(vectors) // 2], vectors[len(vectors) // 2 :], strict=True)
            vectors = [_halves(builder, *pair, half) for pair in pairs]
            half //= 2
        return vectors[0] if half == 0 else _neighbours(builder, vectors[0])

    return Lanes(sums.dtype.element, ROWS)(sums), lower


def _halves(builder: Any, one: Any, other: Any, half: int) -> Any:
    """Of each run of 2 * half lanes, the sum of one's halves, then that of the other's.

    One of the two operands takes every lane from where it is, which costs less than another shuffle.
    """
    count = one.type.count
    in_place = [lane + count * (lane // half % 2) for lane in range(count)]
    crossed = [(place + half) % count if place < count else count + place - count - half for place in in_place]
    index = ir.VectorType(ir.IntType(32), count)
    first = builder.shuffle_vector(one, other, ir.Constant(index, in_place))
    second = builder.shuffle_vector(one, other, ir.Constant(index, crossed))
    return builder.fadd(first, second)


def _neighbours(builder: Any, values: Any) -> Any:
    """The sums of each two lanes."""
    index = ir.VectorType(ir.IntType(32), values.type.count // 2)
    even, odd = (list(range(first, values.type.count, 2)) for first in (0, 1))
    first = builder.shuffle_vector(values, values, ir.Constant(index, even))
    return builder.fadd(first, builder.shuffle_vector(values, values, ir.Constant(index, odd)))


@operation
def load_group(_context: Any, array: Any, ats: Any, step: Any) -> Any:
    """LANES values of each of GROUP samples, from `ats[k] + step` of a flat array on."""
    if array == types.none:
        return types.none(array, ats, _INDEX), _nothing
    values = types.UniTuple(Lanes(array.dtype, LANES), GROUP)  # type: ignore[no-untyped-call]

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, result = signature.args[0], ir.Constant(context.get_value_type(values), None)
        for k, at in enumerate(_places(context, builder, signature.args[1], args[1], args[2])):
            result = builder.insert_value(result, read(context, builder, kind, args[0], at, LANES), k)
        return result

    return values(array, ats, _INDEX), lower


@operation
def only_first(_context: Any, values: Any, count: Any) -> Any:
    """The values of the first `count` of GROUP samples, and 0 in place of the others."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        result = args[0]
        for k in range(1, GROUP):
            given = _part(builder, args[0], k)
            is_there = builder.icmp_signed("<", ir.Constant(args[1].type, k), args[1])
            result = builder.insert_value(result, builder.select(is_there, given, ir.Constant(given.type, None)), k)
        return result

    return values(values, _INDEX), lower


@operation
def store_group(_context: Any, array: Any, ats: Any, step: Any, values: Any) -> Any:
    """Puts them back. Places that are named twice keep the value of the first."""
    if array == types.none:
        return types.void(array, ats, _INDEX, values), _nothing

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        for k, at in reversed(list(enumerate(_places(context, builder, signature.args[1], args[1], args[2])))):
            pointer = address(context, builder, kind, args[0], at, LANES)
            builder.store(_part(builder, args[3], k), pointer, align=bytes_of(kind))
        return context.get_dummy_value()

    return types.void(array, ats, _INDEX, values), lower


@operation
def factors_of_group(_context: Any, tile: Any, ats: Any, step: Any, lie: Any) -> Any:
    """Where the factors of GROUP samples at `ats[k] + step` of their tiles begin, for `add_group`; see `add_rows`."""
    factors = types.UniTuple(reader(tile).place_type(tile), GROUP)  # type: ignore[no-untyped-call]

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factors_of = reader(tile)(context, builder, (tile, args[0]), args[3])
        result = ir.Constant(context.get_value_type(factors), None)
        for k, at in enumerate(_places(context, builder, signature.args[1], args[1], args[2])):
            result = builder.insert_value(result, factors_of.begun(at), k)
        return result

    return factors(tile, ats, _INDEX, lie), lower


@operation
def add_group(
    _context: Any,
    sums: Any,
    factors: Any,
    tile: Any,
    lie: Any,
    grads: Any,
    at_grads: Any,
    weight: Any,
    at_weight: Any,
    x: Any,
    grown: Any,
) -> Any:
    """sums[k] + sum of m * grad * weight over the next ROWS units, and grown += sum of m * grad * x[k] over the GROUP
    samples k; then the factors of the units that follow.

    Each gradient stands SPREAD times, those of GROUP samples side by side, and the units one after another. `grown`
    lies as `weight` does.
    """
    both = types.Tuple((sums, factors))  # type: ignore[no-untyped-call]

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        vector = context.get_value_type(Lanes(kinds[4].dtype, LANES))
        factors_of = reader(kinds[2])(context, builder, (kinds[2], args[2]), args[3])
        block = element_at(context, builder, kinds[4], args[4], args[5])
        result, places = args[0], args[1]
        for unit in range(ROWS):
            at = builder.add(args[7], ir.Constant(args[7].type, unit * LANES))
            w = read(context, builder, kinds[6], args[6], at, LANES)
            growing = read(context, builder, kinds[9], args[9], at, LANES)
            for k in range(GROUP):
                grad = Number(builder, block, (unit * GROUP + k) * SPREAD, vector, is_one=SPREAD == 1)
                product, place = factors_of.product(_part(builder, places, k), unit, grad)
                places = builder.insert_value(places, place, k)
                if sums != types.none:
                    result = builder.insert_value(result, product.times_plus(w, _part(builder, result, k)), k)
                growing = product.times_plus(_part(builder, args[8], k), growing)
            pointer = address(context, builder, kinds[9], args[9], at, LANES)
            builder.store(growing, pointer, align=bytes_of(kinds[9]))
        return context.make_tuple(builder, both, [result, places])

    return both(sums, factors, tile, lie, grads, _INDEX, weight, _INDEX, x, grown), lower


def _nothing(context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
    return context.get_dummy_value()


def _part(builder: Any, values: Any, at: int) -> Any:
    return builder.extract_value(values, at)


def _places(context: Any, builder: Any, kind: Any, ats: Any, step: Any) -> list[Any]:
    """ats[k] + step for each of GROUP samples."""
    pointers = [element_at(context, builder, kind, ats, ir.Constant(ir.IntType(64), k)) for k in range(GROUP)]
    return [builder.add(builder.load(pointer), step) for pointer in pointers]
