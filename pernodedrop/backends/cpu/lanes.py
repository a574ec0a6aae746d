"""The vector type that the kernels compute with: a few numbers side by side.

LLVM turns the operations into what the processor has: registers and masks of AVX-512, registers of AVX2 or NEON.
Written by hand because numba's loop vectorizer leaves masked updates scalar.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model
from numba.np.numpy_support import from_dtype

from pernodedrop.backends.cpu.processor import has_avx512, has_mask_registers

LANES = 16 if has_mask_registers() else 8  # connections side by side
BLOCK = 8  # connections whose normal factors lie side by side: a seed has the same ones on every processor
STEP = 32  # connections are padded to a multiple of it
ROWS = 8  # units whose sums grow together: more would not fit into the registers, fewer would wait for each other
WORD_LANES = 8 if has_avx512() else 4  # of 64 bits, those of a register
CONTRACT = ("contract",)  # lets LLVM fuse a product and a sum, nothing else

operation: Callable[[Callable[..., Any]], Any] = intrinsic(prefer_literal=True)


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


@operation
def load(_context: Any, array: Any, start: types.Type, count: Any) -> Any:
    """array[start : start + count] of a flat array."""
    lanes = Lanes(array.dtype, count.literal_value)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return read(context, builder, signature.args[0], args[0], args[1], lanes.count)

    return lanes(array, types.int64, count), lower


@operation
def store(_context: Any, array: Any, start: types.Type, value: Lanes) -> Any:
    """array[start : start + value's count] = value for a flat array."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = address(context, builder, signature.args[0], args[0], args[1], value.count)
        builder.store(args[2], pointer, align=bytes_of(array))
        return context.get_dummy_value()

    return types.void(array, types.int64, value), lower


@operation
def splat(_context: Any, value: types.Type, count: Any) -> Any:
    """The value in every lane."""
    value = types.unliteral(value)  # type: ignore[no-untyped-call]

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return spread(builder, args[0], count.literal_value)

    return Lanes(value, count.literal_value)(value, count), lower


@operation
def shifted_right(_context: Any, a: Lanes, places: Any) -> Any:
    """Unsigned integers without their last `places` bits."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.lshr(args[0], constant(args[0].type, places.literal_value))

    return a(a, places), lower


@operation
def turned(_context: Any, a: Lanes, places: Any) -> Any:
    """Each four lanes of 64 bits as one word of 256, rotated to the left by `places` times 32 bits."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        halves = ir.VectorType(ir.IntType(32), 2 * a.count)
        words = builder.bitcast(args[0], halves)
        sources = [half // 8 * 8 + (half - places.literal_value) % 8 for half in range(2 * a.count)]
        index = ir.Constant(ir.VectorType(ir.IntType(32), 2 * a.count), sources)
        return builder.bitcast(builder.shuffle_vector(words, words, index), args[0].type)

    return a(a, places), lower


def _of_two(instruction: str) -> Any:
    def both(_context: Any, a: Lanes, b: Lanes) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args)

        return a(a, b), lower

    return operation(both)


add, bit_and, bit_or, bit_xor, add_floats = (_of_two(name) for name in ("add", "and_", "or_", "xor", "fadd"))


def _of_three(instruction: str, truth: int) -> Any:
    """The operation a (b ^ c) of words of 64 bits; AVX-512 has one for any such function of three bits."""

    def all_three(_context: Any, a: Lanes, pair: Any) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            b, c = (builder.extract_value(args[1], at) for at in range(2))
            if not has_avx512():
                return getattr(builder, instruction)(args[0], builder.xor(b, c))
            # of two operations LLVM would take the second out of the branches that differ in the first
            kind = ir.FunctionType(args[0].type, [args[0].type] * 3 + [ir.IntType(32)])
            name = "llvm.x86.avx512.pternlog.q.512"
            both = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
            return builder.call(both, [args[0], b, c, ir.Constant(ir.IntType(32), truth)])

        return a(a, pair), lower

    return operation(all_three)


and_xor, or_xor = _of_three("and_", 0x60), _of_three("or_", 0xF6)


def bytes_of(array: Any) -> int:
    return int(array.dtype.bitwidth) // 8


def element_at(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array)(context, builder, value).data, [index])


def address(context: Any, builder: Any, array: Any, value: Any, start: Any, count: int) -> Any:
    vector = context.get_value_type(Lanes(array.dtype, count))
    return builder.bitcast(element_at(context, builder, array, value, start), vector.as_pointer())


def read(context: Any, builder: Any, array: Any, value: Any, start: Any, count: int) -> Any:
    return builder.load(address(context, builder, array, value, start, count), align=bytes_of(array))


def constant(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def spread(builder: Any, value: Any, count: int) -> Any:
    vector = ir.VectorType(value.type, count)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Fused where the processor can; asked for as one operation, it is also masked in one."""
    kind = ir.FunctionType(c.type, [c.type] * 3)
    name = f"llvm.fmuladd.v{c.type.count}f{32 if c.type.element == ir.FloatType() else 64}"
    fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(fused, [a, b, c])


@operation
def seen_as(_context: Any, a: Lanes, element: Any) -> Any:
    """The same bits as lanes of another element type."""
    other = Lanes(element.dtype, a.count * a.element.bitwidth // element.dtype.bitwidth)

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(other))

    return other(a, element), lower


@operation
def to_floats(_context: Any, a: Lanes) -> Any:
    """Words of 32 bits, taken as signed integers, as floats."""
    floats = Lanes(types.float32, a.count)

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.sitofp(args[0], context.get_value_type(floats))

    return floats(a), lower


@operation
def as_elements_of(_context: Any, array: Any, a: Lanes) -> Any:
    """Floats in the array's precision, the same or double."""
    lanes = Lanes(array.dtype, a.count)

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return args[1] if lanes == a else builder.fpext(args[1], context.get_value_type(lanes))

    return lanes(array, a), lower


@operation
def square_root(_context: Any, a: Lanes) -> Any:
    """Correctly rounded."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(args[0].type, [args[0].type])
        name = f"llvm.sqrt.v{a.count}f{a.element.bitwidth}"
        root = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
        return builder.call(root, args)

    return a(a), lower


def everywhere(value: Any, count: int) -> Any:
    """The operation without operands that gives a constant, a scalar of numpy, in every lane.

    It is read from memory at each use: LLVM would read many constants before a loop, and keep those for which there is
    no register on a stack whose places cross lines of the cache.
    """

    def constants(_context: Any) -> Any:
        lanes = Lanes(from_dtype(value.dtype), count)

        def lower(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
            return _constants(builder, context.get_value_type(lanes), [value.item()])[0]

        return lanes(), lower

    return operation(constants)


def polynomial(*coefficients: float) -> Any:
    """The operation c[0] + c[1] a + c[2] a^2 + ... of lanes a, by Horner's rule; its constants as in `everywhere`."""

    def value(_context: Any, a: Lanes) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            constants = _constants(builder, args[0].type, coefficients)
            result = constants.pop()
            while constants:
                result = multiply_add(builder, result, args[0], constants.pop())
            return result

        return a(a), lower

    return operation(value)


def _constants(builder: Any, vector: Any, values: Any) -> list[Any]:
    """Vectors of one value each, from a place in memory that LLVM is kept from looking into."""
    kind = ir.ArrayType(vector.element, len(values))
    table = cgutils.global_constant(builder, "constants", ir.Constant(kind, values))  # type: ignore[no-untyped-call]
    pointer = ir.FunctionType(table.type, [table.type])
    hidden = builder.call(ir.InlineAsm(pointer, "", "=r,0"), [table])
    index = ir.IntType(32)
    places = [builder.gep(hidden, [index(0), index(place)]) for place in range(len(values))]
    return [spread(builder, builder.load(place), vector.count) for place in places]


@operation
def product_plus(_context: Any, a: Lanes, b: Lanes, c: Lanes) -> Any:
    """a b + c, fused where the processor can."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return multiply_add(builder, *args)

    return a(a, b, c), lower


@operation
def highest_bit(_context: Any, a: Lanes) -> Any:
    """1 where the highest bit of a word is set, else 0."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.lshr(args[0], constant(args[0].type, a.element.bitwidth - 1))

    return a(a), lower


subtract, multiply_floats = (_of_two(name) for name in ("sub", "fmul"))
