"""Numbers that are read where a bit of theirs is set, and are 0 elsewhere: the mask of a product costs no operation.

The bit is the sign of a word. AVX2 reads by signs as they are, in the same operation as it loads; LLVM knows no name
for it that holds where AVX-512 is, which takes another two. Elsewhere LLVM chooses.
"""

from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from llvmlite import ir

from pernodedrop.backends.cpu.lanes import LANES, constant
from pernodedrop.backends.cpu.processor import has_avx2

assert LANES == 8, "a register of AVX has eight floats"
_POINTER = ir.IntType(8).as_pointer()

llvm.initialize_native_asmparser()


def read_where_set(builder: Any, block: Any, offset: int, vector: Any, bits: Any) -> Any:
    """The LANES numbers that lie `offset` elements after the pointer `block`, those whose word is negative."""
    if has_avx2() and vector.element == ir.FloatType():
        code = f"vmaskmovps {4 * offset}($2), $1, $0"
        kind = ir.FunctionType(vector, [bits.type, _POINTER])
        # memory: it reads what was stored before
        return builder.call(ir.InlineAsm(kind, code, "=x,x,r,~{memory}"), [bits, builder.bitcast(block, _POINTER)])
    is_set = builder.icmp_signed("<", bits, constant(bits.type, 0))
    return builder.select(is_set, read_from(builder, block, offset, vector), ir.Constant(vector, None))


def read_from(builder: Any, block: Any, offset: int, vector: Any) -> Any:
    """All of them."""
    place = builder.gep(block, [ir.Constant(ir.IntType(64), offset)])
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=4 if vector.element == ir.FloatType() else 8)


def shifted(builder: Any, bits: Any) -> Any:
    """The words with their next bit as the sign.

    AVX2: by an addition, which more of its units do than a shift, and in place, which keeps to the registers. LLVM
    would make one shift of several.
    """
    doubled = builder.add(bits, bits)
    if not has_avx2():
        return doubled
    return builder.call(ir.InlineAsm(ir.FunctionType(bits.type, [bits.type]), "", "=x,0"), [doubled])
