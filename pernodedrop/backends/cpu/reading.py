"""One unit's factors after another's, as a product takes them: signs of words, masks, or numbers.

* Signs: a word has the factors of one connection, and the highest bit is the unit's whose turn it is. AVX2 reads a
  number where the sign is set, and 0 elsewhere, in the operation that loads it: the mask costs no operation. LLVM knows
  no name for it that holds where AVX-512 is, which takes another two. Elsewhere LLVM chooses.
* Masks: AVX-512 tests one bit of sixteen words in one operation, and a sum grows where it is set, and stays as it is
  elsewhere, in the operation that adds.
* Numbers: N(0, 1) factors, or those of a tile that has 0 for what is dropped.

A reader has a place, whose numba type it names: where its factors lie, or the words that have them.
"""

from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from llvmlite import ir
from numba.core import types

from pernodedrop.backends.cpu.lanes import (
    BLOCK,
    CONTRACT,
    LANES,
    ROWS,
    Lanes,
    constant,
    multiply_add,
    read,
    spread,
)
from pernodedrop.backends.cpu.processor import has_avx2, has_mask_registers

SPREAD = 1 if has_mask_registers() else LANES  # how often a gradient stands: masks come with loads that spread it
_INDEX = types.int64
_OCTETS = ir.IntType(8).as_pointer()

llvm.initialize_native_asmparser()


class Numbers:
    """Factors that are numbers of a tile. `lie` is the step from a connection to the next, and the first unit's bit."""

    def __init__(self, context: Any, builder: Any, tile: tuple[Any, Any], lie: Any) -> None:
        self.context, self.builder, self.tile = context, builder, tile
        self._step, self._bit = (builder.extract_value(lie, at) for at in range(2))

    @staticmethod
    def place_type(_tile: Any) -> Any:
        return _INDEX

    def begun(self, at: Any) -> Any:
        """The place of the first unit, whose factors lie at `at`."""
        return at

    def product(self, place: Any, unit: int, number: Any) -> tuple["Product", Any]:
        """The factors of the unit whose turn it is, the `unit`th of ROWS, times a number; and the next one's place."""
        parts, at = [], place
        for _ in range(LANES // BLOCK):
            parts.append(read(self.context, self.builder, *self.tile, at, BLOCK))
            at = self.builder.add(at, self.builder.mul(self._step, ir.Constant(at.type, BLOCK)))
        factors = parts[0] if len(parts) == 1 else _joined(self.builder, *parts)
        product = self.builder.fmul(factors, number.loaded(), flags=CONTRACT)
        return Product(self.builder, product), self.builder.add(place, ir.Constant(place.type, BLOCK))


class Signs(Numbers):
    """Factors that are bits of words. A place is the words, with the unit's bit as their highest."""

    @staticmethod
    def place_type(tile: Any) -> Any:
        return Lanes(tile.dtype, LANES)

    def begun(self, at: Any) -> Any:
        words = read(self.context, self.builder, *self.tile, at, LANES)
        return self.builder.shl(words, spread(self.builder, self.builder.trunc(self._bit, ir.IntType(32)), LANES))

    def product(self, place: Any, unit: int, number: Any) -> tuple["Product", Any]:
        return Product(self.builder, number.loaded_where_negative(place)), self._shifted(place)

    def _shifted(self, words: Any) -> Any:
        """The words with their next bit as the sign.

        AVX2: by an addition, which more of its units do than a shift, and in place, which keeps to the registers. LLVM
        would make one shift of several.
        """
        doubled = self.builder.add(words, words)
        if not has_avx2():
            return doubled
        return self.builder.call(ir.InlineAsm(ir.FunctionType(words.type, [words.type]), "", "=x,0"), [doubled])


class Masks(Signs):
    """Factors that are bits of words, tested where they are. A place is the words, with the first of ROWS units' bit as
    their highest."""

    def product(self, place: Any, unit: int, number: Any) -> tuple["Product", Any]:
        bit = constant(place.type, 1 << (31 - unit))
        # LLVM would test for the bits that are not set, and take another operation to keep a sum
        test = ir.InlineAsm(ir.FunctionType(ir.IntType(LANES), [place.type] * 2), "vptestmd $2, $1, $0", "=^Yk,v,v")
        mask = self.builder.bitcast(self.builder.call(test, [place, bit]), ir.VectorType(ir.IntType(1), LANES))
        after = self.builder.shl(place, constant(place.type, ROWS)) if unit == ROWS - 1 else place
        return Masked(self.builder, number, mask), after


def reader(tile: Any) -> type[Numbers]:
    """How the factors of a tile of this numba type are read."""
    if isinstance(tile.dtype, types.Float):
        return Numbers
    return Masks if has_mask_registers() else Signs


class Product:
    """Factors times a number."""

    def __init__(self, builder: Any, value: Any) -> None:
        self._builder, self._value = builder, value

    def times_plus(self, other: Any, total: Any) -> Any:
        """The product times another number, plus a sum."""
        return multiply_add(self._builder, self._value, other, total)


class Masked(Product):
    """A number where a mask is set. A sum stays as it is elsewhere."""

    def __init__(self, builder: Any, number: Any, mask: Any) -> None:
        super().__init__(builder, None if number.is_one_float else number.loaded())
        self._number, self._mask = number, mask

    def times_plus(self, other: Any, total: Any) -> Any:
        if self._number.is_one_float:
            return self._number.times_plus_where(self._mask, other, total)
        return self._builder.select(self._mask, super().times_plus(other, total), total)


class Number:
    """LANES numbers, or one for all of them, that lie `offset` elements after the pointer `block`."""

    def __init__(self, builder: Any, block: Any, offset: int, vector: Any, is_one: bool = False) -> None:
        self._builder, self._block, self._offset, self._vector = builder, block, offset, vector
        self._is_one = is_one
        self.is_one_float = is_one and vector.element == ir.FloatType()

    def loaded(self) -> Any:
        """All of them."""
        builder = self._builder
        place = builder.gep(self._block, [ir.Constant(ir.IntType(64), self._offset)])
        if self._is_one:
            return spread(builder, builder.load(place), self._vector.count)
        align = 4 if self._vector.element == ir.FloatType() else 8
        return builder.load(builder.bitcast(place, self._vector.as_pointer()), align=align)

    def times_plus_where(self, mask: Any, other: Any, total: Any) -> Any:
        """total + number * other where the mask is set, for one float, which is spread in the operation that adds.

        LLVM would load it for two of them at once, which is a third operation.
        """
        code = f"vfmadd231ps {4 * self._offset}($4){{1to16}}, $3, $0 {{$2}}"
        kind = ir.FunctionType(self._vector, [self._vector, mask.type, self._vector, _OCTETS])
        fused = ir.InlineAsm(kind, code, "=v,0,^Yk,v,r,~{memory}")
        return self._builder.call(fused, [total, mask, other, self._builder.bitcast(self._block, _OCTETS)])

    def loaded_where_negative(self, words: Any) -> Any:
        """Those whose word is negative, and 0 in place of the others."""
        builder, vector = self._builder, self._vector
        if has_avx2() and vector.element == ir.FloatType():
            code = f"vmaskmovps {4 * self._offset}($2), $1, $0"
            kind = ir.FunctionType(vector, [words.type, _OCTETS])
            # memory: it reads what was stored before
            load = ir.InlineAsm(kind, code, "=x,x,r,~{memory}")
            return builder.call(load, [words, builder.bitcast(self._block, _OCTETS)])
        is_set = builder.icmp_signed("<", words, constant(words.type, 0))
        return builder.select(is_set, self.loaded(), ir.Constant(vector, None))


def _joined(builder: Any, one: Any, other: Any) -> Any:
    index = ir.VectorType(ir.IntType(32), one.type.count + other.type.count)
    return builder.shuffle_vector(one, other, ir.Constant(index, list(range(index.count))))
