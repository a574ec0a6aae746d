"""What a launch of the Triton kernels loads, stores, draws and computes, counted while Triton's interpreter runs it.

All programs of a launch do the same but for tiles that reach beyond an edge: program 0 is run, and its counts are
multiplied by the number of programs. `every` runs and counts all of them instead. TRITON_INTERPRET=1 must be set
before triton is imported.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from triton.runtime import interpreter

_ROUNDS = 7  # of Philox, each of two long products, for four words
_LOGIC = ("and", "or", "xor", "shl", "lshr", "ashr", "add", "sub", "mul", "umulhi")
_COMPARISONS = ("icmpSLT", "icmpSGT", "icmpSLE", "icmpSGE", "icmpULT", "icmpUGE", "icmpEQ", "icmpNE", "select")
_FLOATS = ("fadd", "fsub", "fmul", "fdiv", "sqrt", "log2", "fma")


@dataclass
class Counts:
    """Of single numbers; a multiplication and the addition behind it are two operations."""

    loaded: float = 0.0  # bytes, each time that a program asks for them
    stored: float = 0.0  # bytes
    words: float = 0.0  # random ones, of 32 bits
    integer: float = 0.0  # operations on integers, comparisons and selections
    floating: float = 0.0  # operations of single precision

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def times(self, factor: float) -> "Counts":
        return Counts(*(getattr(self, field.name) * factor for field in fields(self)))


class Counter:
    """Wraps the interpreter's operations; scalars, which a whole program shares, do not count."""

    def __init__(self, *, every: bool) -> None:
        self.counts = Counts()
        self.launches: dict[str, int] = {}  # steps of a program's loop, by the kernel's name
        self._every = every
        self._builder: Any = interpreter.InterpreterBuilder

    def replacements(self) -> Iterator[tuple[object, str, Callable[..., Any]]]:
        """What to patch while counting: owner, name, function."""
        for name in (*_LOGIC, *_COMPARISONS):
            yield self._builder, f"create_{name}", self._adding("integer", f"create_{name}")
        for name in _FLOATS:
            yield self._builder, f"create_{name}", self._adding("floating", f"create_{name}")
        for name in ("create_masked_load", "create_masked_store"):
            yield self._builder, name, self._moving(name)
        yield interpreter.ReduceOps, "sum", self._reducing()
        yield interpreter.InterpretedFunction, "run", self._launching()
        yield torch.Tensor, "sum", self._summing()

    def _adding(self, kind: str, name: str) -> Callable[..., Any]:
        original = getattr(self._builder, name)

        def counted(builder: Any, *operands: Any) -> Any:
            result = original(builder, *operands)
            size = np.size(result.data)
            if size > 1:
                # a product of 64 bits is Philox's: both halves of what umulhi and mul give apart
                is_long = name == "create_mul" and result.data.dtype == np.uint64
                if name == "create_umulhi" or is_long:
                    self.counts.words += size * 4 / (2 * _ROUNDS)
                if result.data.dtype not in (np.int64, np.uint64) or is_long:  # addresses are not counted
                    setattr(self.counts, kind, getattr(self.counts, kind) + size)
            return result

        return counted

    def _moving(self, name: str) -> Callable[..., Any]:
        original = getattr(self._builder, name)
        is_load = name == "create_masked_load"

        def counted(builder: Any, pointers: Any, *others: Any) -> Any:
            mask = others[0] if is_load else others[1]
            moved = float(np.sum(mask.data)) * pointers.get_element_ty().primitive_bitwidth / 8
            if is_load:
                self.counts.loaded += moved
            else:
                self.counts.stored += moved
            return original(builder, pointers, *others)

        return counted

    def _reducing(self) -> Callable[..., Any]:
        original = interpreter.ReduceOps.sum

        def counted(operation: Any, operand: Any) -> Any:
            result = original(operation, operand)
            self.counts.floating += np.size(operand.handle.data) - np.size(result.handle.data)
            return result

        return counted

    def _launching(self) -> Callable[..., Any]:
        original = interpreter.InterpretedFunction.run

        def counted(function: Any, *args: Any, grid: Any, **options: Any) -> Any:
            arguments = dict(zip(function.arg_names, args, strict=False))
            self.launches[function.__name__] = arguments["each"] * arguments.get("tiles", 1)
            if self._every:
                return original(function, *args, grid=grid, **options)
            before, self.counts = self.counts, Counts()
            result = original(function, *args, grid=(1,), **options)
            self.counts = before + self.counts.times(grid[0])
            return result

        return counted

    def _summing(self) -> Callable[..., Any]:
        """The partial sums, which torch adds."""
        original = torch.Tensor.sum

        def counted(tensor: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
            result = original(tensor, *args, **options)
            self.counts += Counts(tensor.nbytes, result.nbytes, 0.0, 0.0, tensor.numel() - result.numel())
            return result

        return counted


@contextmanager
def counted(*, every: bool = False) -> Iterator[Counter]:
    """Count the launches in its body. Results are wrong unless `every`."""
    counter = Counter(every=every)
    patches = [patch.object(owner, name, function) for owner, name, function in counter.replacements()]
    for each in patches:
        each.start()
    try:
        yield counter
    finally:
        for each in reversed(patches):
            each.stop()
