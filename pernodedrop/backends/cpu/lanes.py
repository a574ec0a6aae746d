"""A few numbers side by side: the vector type that the kernels compute with.

LLVM turns the operations into whatever the processor has: two AVX-512 registers and their masks, four of AVX2,
eight of NEON. Written by hand because numba's loop vectorizer leaves masked updates scalar.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 32
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
    """The sum over the lanes, in whatever order is fastest."""

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        element = context.get_value_type(lanes.element)
        kind = ir.FunctionType(element, [element, args[0].type])
        name = f"llvm.vector.reduce.fadd.v{LANES}f{lanes.element.bitwidth}"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
        return builder.call(reduce, [ir.Constant(element, -0.0), args[0]], fastmath=("reassoc",))

    return lanes.element(lanes), lower


@_operation
def multiply_add(_context: Any, a: Lanes, b: Lanes, c: Lanes) -> Any:
    """a * b + c, fused where the processor can."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        product = builder.fmul(args[0], args[1], flags=_CONTRACT)
        return builder.fadd(product, args[2], flags=_CONTRACT)

    return c(a, b, c), lower


@_operation
def stirred(_context: Any, tile: Any, row: types.Type, a: Lanes) -> Any:
    """m * a with the factors m of a tile's row.

    A tile of 32-bit words holds a row as one bit of neighbouring words (m is 0 or 1); a tile of floats holds
    the factors themselves.
    """

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, row, a = args
        if isinstance(tile.dtype, types.Float):
            start = builder.mul(row, ir.Constant(row.type, LANES))
            return builder.fmul(_load(context, builder, signature.args[0], array, start), a, flags=_CONTRACT)
        start = builder.mul(builder.lshr(row, ir.Constant(row.type, 5)), ir.Constant(row.type, LANES))
        words = _load(context, builder, signature.args[0], array, start)
        word = words.type.element
        place = builder.and_(builder.trunc(row, word), ir.Constant(word, 31))
        bit = _splat(builder, builder.shl(ir.Constant(word, 1), place))
        kept = builder.icmp_unsigned("!=", builder.and_(words, bit), ir.Constant(words.type, [0] * LANES))
        return builder.select(kept, a, ir.Constant(a.type, [0.0] * LANES))

    return a(tile, types.int64, a), lower


def _bytes(array: Any) -> int:
    return int(array.dtype.bitwidth) // 8


def _pointer(context: Any, builder: Any, array: Any, value: Any, start: Any) -> Any:
    data = context.make_array(array)(context, builder, value).data
    vector = context.get_value_type(Lanes(array.dtype))
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


def _load(context: Any, builder: Any, array: Any, value: Any, start: Any) -> Any:
    return builder.load(_pointer(context, builder, array, value, start), align=_bytes(array))


def _splat(builder: Any, value: Any) -> Any:
    vector = ir.VectorType(value.type, LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
