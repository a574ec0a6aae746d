"""The vector type that the kernels compute with: a few numbers side by side.

LLVM turns the operations into what the processor has: registers and masks of AVX-512, registers of AVX2 or NEON.
Written by hand because numba's loop vectorizer leaves masked updates scalar.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from pernodedrop.backends.cpu.processor import has_avx512

# How many numbers stand side by side: more would not fit into the registers, fewer would wait for each other.
LANES = 32  # of a sum over units; connections are padded to a multiple of it
SHORT = 16 if has_avx512() else 8  # of each of ROWS sums over connections
ROWS = 8  # units whose sums grow together
GENERATORS = 16 if has_avx512() else 8  # 64-bit words
_CONTRACT = ("contract",)  # lets LLVM fuse a product and a sum, nothing else

_operation: Callable[[Callable[..., Any]], Any] = intrinsic(prefer_literal=True)
_SIGN = 31  # the place of the bit that a comparison with 0 tests


class Lanes(types.Type):
    """`count` values of one element type."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        super().__init__(name=f"Lanes({element}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        element = manager.lookup(lanes.element).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.count))  # type: ignore[no-untyped-call]


@_operation
def load(_context: Any, array: Any, start: types.Type, count: Any) -> Any:
    """array[start : start + count] of a flat array."""
    lanes = Lanes(array.dtype, count.literal_value)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(context, builder, signature.args[0], args[0], args[1], lanes.count)

    return lanes(array, types.int64, count), lower


@_operation
def store(_context: Any, array: Any, start: types.Type, value: Lanes) -> Any:
    """array[start : start + value's count] = value for a flat array."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], value.count)
        builder.store(args[2], pointer, align=_bytes(array))
        return context.get_dummy_value()

    return types.void(array, types.int64, value), lower


@_operation
def splat(_context: Any, value: types.Type, count: Any) -> Any:
    """The value in every lane."""
    value = types.unliteral(value)  # type: ignore[no-untyped-call]

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _splat(builder, args[0], count.literal_value)

    return Lanes(value, count.literal_value)(value, count), lower


@_operation
def no_sums(_context: Any, array: Any) -> Any:
    """ROWS times SHORT zeros of the array's type, for `add_rows`."""
    sums = types.UniTuple(Lanes(array.dtype, SHORT), ROWS)

    def lower(context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(context.get_value_type(sums), None)

    return sums(array), lower


@_operation
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
        a = _load(context, builder, kinds[4], args[4], args[5], SHORT)
        bits = None
        if not isinstance(tile.dtype, types.Float):
            bits = _load(context, builder, kinds[1], args[1], at_first, SHORT)
            bits = builder.shl(bits, _splat(builder, builder.trunc(first_row, ir.IntType(32)), SHORT))
        result, place, factors = before, at_weights, at_first
        for unit in range(ROWS):
            c = builder.extract_value(before, unit)
            b = _load(context, builder, kinds[6], args[6], place, SHORT)
            if bits is None:
                m = _load(context, builder, kinds[1], args[1], factors, SHORT)
                grown = _multiply_add(builder, builder.fmul(m, a, flags=_CONTRACT), b, c)
                factors = builder.add(factors, step)
            else:
                grown = builder.select(_kept(builder, bits, unit), _multiply_add(builder, a, b, c), c)
            result = builder.insert_value(result, grown, unit)
            place = builder.add(place, step)
        return result

    index = types.int64
    return sums(sums, tile, index, index, x, index, weight, index, index), lower if lanes.count == SHORT else None


@_operation
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
                _halves(builder, list(pair), count // parts // 2) for pair in zip(vectors[::2], vectors[1::2], strict=True)
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


@_operation
def add_units(
    _context: Any, sum_: Lanes, tile: Any, at: Any, row: Any, grads: Any, at_grads: Any, weight: Any, at_weight: Any,
    width: Any
) -> Any:
    """sum_ + m * grad * weight over ROWS units from `row` of a group on, for LANES connections; see `add_rows`."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        result = args[0]
        for m, place in _masked(context, builder, kinds, args):
            b = _load(context, builder, kinds[6], args[6], place, LANES)
            result = _multiply_add(builder, m, b, result)
        return result

    index = types.int64
    return sum_(sum_, tile, index, index, grads, index, weight, index, index), lower


@_operation
def add_outer(
    _context: Any, x: Lanes, tile: Any, at: Any, row: Any, grads: Any, at_grads: Any, sums: Any, at_sums: Any, width: Any
) -> Any:
    """sums += m * grad * x for ROWS units and LANES connections; see `add_rows`."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        for m, place in _masked(context, builder, kinds, args):
            c = _load(context, builder, kinds[6], args[6], place, LANES)
            pointer = _pointer(context, builder, kinds[6], args[6], place, LANES)
            builder.store(_multiply_add(builder, m, args[0], c), pointer, align=_bytes(sums))
        return context.get_dummy_value()

    index = types.int64
    return types.void(x, tile, index, index, grads, index, sums, index, index), lower


@_operation
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
            b = _load(context, builder, kinds[6], args[6], place, LANES)
            result = _multiply_add(builder, m, b, result)
            c = _load(context, builder, kinds[10], args[10], place, LANES)
            pointer = _pointer(context, builder, kinds[10], args[10], place, LANES)
            builder.store(_multiply_add(builder, m, args[9], c), pointer, align=_bytes(sums))
        return result

    index = types.int64
    return sum_(sum_, tile, index, index, grads, index, weight, index, index, x, sums), lower


def _masked(context: Any, builder: Any, kinds: Any, args: Any) -> Any:
    """m * grad of ROWS units, and where the unit's weights lie."""
    at, row, at_grads, place, step = args[2], args[3], args[5], args[7], args[8]
    tile = kinds[1]
    bits = None
    if not isinstance(tile.dtype, types.Float):
        bits = _load(context, builder, tile, args[1], at, LANES)
        bits = builder.shl(bits, _splat(builder, builder.trunc(row, ir.IntType(32)), LANES))
    for unit in range(ROWS):
        index = builder.add(at_grads, ir.Constant(at_grads.type, unit))
        grad = _splat(builder, builder.load(_at(context, builder, kinds[4], args[4], index)), LANES)
        if bits is None:
            m = builder.fmul(_load(context, builder, tile, args[1], at, LANES), grad, flags=_CONTRACT)
            at = builder.add(at, step)
        else:
            m = builder.select(_kept(builder, bits, unit), grad, ir.Constant(grad.type, None))
        yield m, place
        place = builder.add(place, step)


def _kept(builder: Any, bits: Any, unit: int) -> Any:
    """Whether the bit `_SIGN - unit` is set: AVX2 and AVX-512 select by a sign as it is."""
    shifted = builder.shl(bits, _constant(bits.type, unit)) if unit else bits
    return builder.icmp_signed("<", shifted, _constant(bits.type, 0))


@_operation
def rotated_left(_context: Any, a: Lanes, places: types.Type) -> Any:
    """Unsigned integers rotated to the left."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        element = args[0].type.element
        right = builder.sub(ir.Constant(element, element.width), args[1])
        left = builder.shl(args[0], _splat(builder, args[1], a.count))
        return builder.or_(left, builder.lshr(args[0], _splat(builder, right, a.count)))

    return a(a, a.element), lower


@_operation
def shifted_left(_context: Any, a: Lanes, places: types.Type) -> Any:
    """Integers shifted to the left."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.shl(args[0], _splat(builder, args[1], a.count))

    return a(a, a.element), lower


def _of_integers(instruction: str) -> Any:
    def operation(_context: Any, a: Lanes, b: Lanes) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args)

        return a(a, b), lower

    return _operation(operation)


add, bit_and, bit_or, bit_xor = (_of_integers(name) for name in ("add", "and_", "or_", "xor"))


def _bytes(array: Any) -> int:
    return int(array.dtype.bitwidth) // 8


def _at(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array)(context, builder, value).data, [index])


def _pointer(context: Any, builder: Any, array: Any, value: Any, start: Any, count: int) -> Any:
    vector = context.get_value_type(Lanes(array.dtype, count))
    return builder.bitcast(_at(context, builder, array, value, start), vector.as_pointer())


def _load(context: Any, builder: Any, array: Any, value: Any, start: Any, count: int) -> Any:
    return builder.load(_pointer(context, builder, array, value, start, count), align=_bytes(array))


def _constant(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def _splat(builder: Any, value: Any, count: int) -> Any:
    vector = ir.VectorType(value.type, count)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count))


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Fused where the processor can; asked for as one operation, it is also masked in one."""
    kind = ir.FunctionType(c.type, [c.type] * 3)
    name = f"llvm.fmuladd.v{c.type.count}f{32 if c.type.element == ir.FloatType() else 64}"
    fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(fused, [a, b, c])
