"""The vector type that the kernels compute with: a few numbers side by side.

LLVM turns the operations into what the processor has: two AVX-512 registers and their masks, four of AVX2,
eight of NEON. Written by hand because numba's loop vectorizer leaves masked updates scalar.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 32  # as many as a word of a tile has bits
_CONTRACT = ("contract",)  # lets LLVM fuse a product and a sum, nothing else

_operation: Callable[[Callable[..., Any]], Any] = intrinsic  # numba's own type describes the decorated function


class Lanes(types.Type):
    """LANES values of one element type."""

    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(name=f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        element = manager.lookup(lanes.element).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, LANES))  # type: ignore[no-untyped-call]


@_operation
def load(_context: Any, array: Any, start: types.Type) -> Any:
    """array[start : start + LANES] of a flat array."""
    lanes = Lanes(array.dtype)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(context, builder, signature.args[0], *args)

    return lanes(array, start), lower


@_operation
def store(_context: Any, array: Any, start: types.Type, value: Lanes) -> Any:
    """array[start : start + LANES] = value for a flat array."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=_bytes(array))
        return context.get_dummy_value()

    return types.void(array, start, value), lower


@_operation
def splat(_context: Any, value: types.Type) -> Any:
    """The value in every lane."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return Lanes(value)(value), lower


@_operation
def total(_context: Any, lanes: Lanes) -> Any:
    """The sum over the lanes, in the order that is fastest."""

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        element = context.get_value_type(lanes.element)
        kind = ir.FunctionType(element, [element, args[0].type])
        name = f"llvm.vector.reduce.fadd.v{LANES}f{lanes.element.bitwidth}"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
        return builder.call(reduce, [ir.Constant(element, -0.0), args[0]], fastmath=("reassoc",))

    return lanes.element(lanes), lower


@_operation
def add_stirred(_context: Any, tile: Any, row: types.Type, a: Lanes, b: Lanes, c: Lanes) -> Any:
    """c + m * a * b with the factors m of a tile's row, fused where the processor can.

    A tile of 32-bit words holds a row as one word, whose bits are the factors: where one is 0, c stays as it is.
    A tile of floats holds the factors themselves.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, row, a, b, c = args
        if isinstance(tile.dtype, types.Float):
            start = builder.mul(row, ir.Constant(row.type, LANES))
            factors = _load(context, builder, signature.args[0], array, start)
            return _multiply_add(builder, builder.fmul(factors, a, flags=_CONTRACT), b, c)
        word = builder.load(_at(context, builder, signature.args[0], array, row))
        kept = builder.bitcast(word, ir.VectorType(ir.IntType(1), LANES))  # a mask register of AVX-512
        return builder.select(kept, _multiply_add(builder, a, b, c), c)

    return c(tile, types.int64, a, b, c), lower


@_operation
def rotated_left(_context: Any, a: Lanes, places: types.Type) -> Any:
    """Unsigned integers rotated to the left."""

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        element = args[0].type.element
        right = builder.sub(ir.Constant(element, element.width), args[1])
        left = builder.shl(args[0], _splat(builder, args[1]))
        return builder.or_(left, builder.lshr(args[0], _splat(builder, right)))

    return a(a, a.element), lower


@_operation
def shifted_left(_context: Any, a: Lanes, places: types.Type) -> Any:
    """Integers shifted to the left."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.shl(args[0], _splat(builder, args[1]))

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


def _pointer(context: Any, builder: Any, array: Any, value: Any, start: Any) -> Any:
    vector = context.get_value_type(Lanes(array.dtype))
    return builder.bitcast(_at(context, builder, array, value, start), vector.as_pointer())


def _load(context: Any, builder: Any, array: Any, value: Any, start: Any) -> Any:
    return builder.load(_pointer(context, builder, array, value, start), align=_bytes(array))


def _splat(builder: Any, value: Any) -> Any:
    vector = ir.VectorType(value.type, LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Fused where the processor can; asked for as one operation, it is also masked in one."""
    kind = ir.FunctionType(c.type, [c.type] * 3)
    name = f"llvm.fmuladd.v{LANES}f{32 if c.type.element == ir.FloatType() else 64}"
    fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(fused, [a, b, c])
