"""The sums of the stirred product: masked or multiplied by a tile's factors, for ROWS units and LANES connections.

A unit's factors are a bit of each connection's word, counted from the highest, or numbers that lie as weights do.
Weights lie in blocks of ROWS x LANES, so that a block is read from one place on.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from pernodedrop.backends.cpu.lanes import (
    CONTRACT,
    LANES,
    ROWS,
    Lanes,
    address,
    bytes_of,
    element_at,
    multiply_add,
    operation,
    read,
    spread,
)
from pernodedrop.backends.cpu.signs import read_from, read_where_set, shifted

GROUP = 4  # samples that share one reading of the weights
assert ROWS == LANES, "`totals` makes one vector of as many"

_INDEX = types.int64


@operation
def no_sums(_context: Any, array: Any) -> Any:
    """ROWS times LANES zeros of the array's type, for `add_rows`."""
    sums = types.UniTuple(Lanes(array.dtype, LANES), ROWS)  # type: ignore[no-untyped-call]

    def lower(context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(context.get_value_type(sums), None)

    return sums(array), lower


@operation
def add_rows(
    _context: Any, sums: Any, tile: Any, at: Any, row: Any, x: Any, at_x: Any, weight: Any, at_weight: Any
) -> Any:
    """sums[r] + m * x * weight for the ROWS units of the block of weights at `at_weight`.

    The factors m are at `at`: in a tile of words their bits from 31 - row on downwards.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        a = read(context, builder, kinds[4], args[4], args[5], LANES)
        factors = _Factors(context, builder, (kinds[1], args[1]), args[2], args[3])
        block = element_at(context, builder, kinds[6], args[6], args[7])
        result = args[0]
        for unit in range(ROWS):
            product = multiply_add(builder, a, factors.times(block, unit * LANES, a.type), _part(builder, result, unit))
            result = builder.insert_value(result, product, unit)
            factors.next()
        return result

    return sums(sums, tile, _INDEX, _INDEX, x, _INDEX, weight, _INDEX), lower


@operation
def totals(_context: Any, sums: Any) -> Any:
    """The sums over the lanes of each of ROWS, side by side."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vectors = [_part(builder, args[0], unit) for unit in range(ROWS)]
        half = LANES // 2
        while len(vectors) > 1:
            vectors = [_halves(builder, *pair, half) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
            half //= 2
        return vectors[0]

    return Lanes(sums.dtype.element, ROWS)(sums), lower


def _halves(builder: Any, one: Any, other: Any, half: int) -> Any:
    """Of each run of 2 * half lanes, the first half plus the second half; two vectors one after the other."""
    firsts = [run + lane for run in range(0, 2 * one.type.count, 2 * half) for lane in range(half)]
    index = ir.VectorType(ir.IntType(32), len(firsts))
    first = builder.shuffle_vector(one, other, ir.Constant(index, firsts))
    second = builder.shuffle_vector(one, other, ir.Constant(index, [lane + half for lane in firsts]))
    return builder.fadd(first, second)


@operation
def load_group(_context: Any, array: Any, ats: Any, step: Any) -> Any:
    """LANES values of each of GROUP samples, from `ats[k] + step` of a flat array on."""
    values = types.UniTuple(Lanes(array.dtype, LANES), GROUP)  # type: ignore[no-untyped-call]

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, result = signature.args[0], ir.Constant(context.get_value_type(values), None)
        for k, at in enumerate(_places(context, builder, signature.args[1], args[1], args[2])):
            result = builder.insert_value(result, read(context, builder, kind, args[0], at, LANES), k)
        return result

    return values(array, ats, _INDEX), lower


@operation
def store_group(_context: Any, array: Any, ats: Any, step: Any, values: Any) -> Any:
    """Puts them back. Places that are named twice keep the value of the first."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        for k, at in reversed(list(enumerate(_places(context, builder, signature.args[1], args[1], args[2])))):
            pointer = address(context, builder, kind, args[0], at, LANES)
            builder.store(_part(builder, args[3], k), pointer, align=bytes_of(kind))
        return context.get_dummy_value()

    return types.void(array, ats, _INDEX, values), lower


@operation
def add_group(
    _context: Any,
    sums: Any,
    tile: Any,
    ats: Any,
    step: Any,
    row: Any,
    grads: Any,
    at_grads: Any,
    weight: Any,
    at_weight: Any,
    x: Any,
    grown: Any,
) -> Any:
    """sums[k] + sum of m * grad * weight over the ROWS units of a block, and grown += sum of m * grad * x[k] over the
    GROUP samples k.

    The factors m of a sample are at `ats[k] + step`: see `add_rows`. The gradients are spread over LANES, those of
    GROUP samples side by side, and the units one after another. `grown` lies as `weight` does.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        vector = context.get_value_type(Lanes(kinds[5].dtype, LANES))
        factors = [
            _Factors(context, builder, (kinds[1], args[1]), at, args[4])
            for at in _places(context, builder, kinds[2], args[2], args[3])
        ]
        block = element_at(context, builder, kinds[5], args[5], args[6])
        result = args[0]
        for unit in range(ROWS):
            at = builder.add(args[8], ir.Constant(args[8].type, unit * LANES))
            w = read(context, builder, kinds[7], args[7], at, LANES)
            growing = read(context, builder, kinds[10], args[10], at, LANES)
            for k, factor in enumerate(factors):
                m = factor.times(block, (unit * GROUP + k) * LANES, vector)
                factor.next()
                result = builder.insert_value(result, multiply_add(builder, m, w, _part(builder, result, k)), k)
                growing = multiply_add(builder, m, _part(builder, args[9], k), growing)
            pointer = address(context, builder, kinds[10], args[10], at, LANES)
            builder.store(growing, pointer, align=bytes_of(kinds[10]))
        return result

    return sums(sums, tile, ats, _INDEX, _INDEX, grads, _INDEX, weight, _INDEX, x, grown), lower


class _Factors:
    """The factors of a block's units, one after another."""

    def __init__(self, context: Any, builder: Any, tile: tuple[Any, Any], at: Any, row: Any) -> None:
        self._context, self._builder, self._tile, self._at, self._unit = context, builder, tile, at, 0
        self._bits = None
        if not isinstance(tile[0].dtype, types.Float):
            bits = read(context, builder, *tile, at, LANES)
            self._bits = builder.shl(bits, spread(builder, builder.trunc(row, ir.IntType(32)), LANES))

    def times(self, block: Any, offset: int, vector: Any) -> Any:
        """The unit's factors, times the LANES numbers that lie `offset` elements after the pointer `block`."""
        if self._bits is not None:
            return read_where_set(self._builder, block, offset, vector, self._bits)
        at = self._builder.add(self._at, ir.Constant(self._at.type, self._unit * LANES))
        factors = read(self._context, self._builder, *self._tile, at, LANES)
        return self._builder.fmul(factors, read_from(self._builder, block, offset, vector), flags=CONTRACT)

    def next(self) -> None:
        """Go on to the next unit."""
        self._unit += 1
        if self._bits is not None:
            self._bits = shifted(self._builder, self._bits)


def _part(builder: Any, values: Any, at: int) -> Any:
    return builder.extract_value(values, at)


def _places(context: Any, builder: Any, kind: Any, ats: Any, step: Any) -> list[Any]:
    """ats[k] + step for each of GROUP samples."""
    pointers = [element_at(context, builder, kind, ats, ir.Constant(ir.IntType(64), k)) for k in range(GROUP)]
    return [builder.add(builder.load(pointer), step) for pointer in pointers]
