"""What `torch.compile` is told about functions that it cannot trace."""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import torch
from torch._compile import _disable_dynamo

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., object])


def constant(function: F) -> F:
    """Have a compiled model call the function once, while it is traced.

    `torch.compiler.assume_constant_result` sets the same mark, but imports torch's compiler, which takes seconds.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def outside_the_graph(reason: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As torch.compiler.disable with this reason, but torch's compiler is imported by the first call.

    That takes over a second. Where a model may not be compiled, `now` makes that call needless. The public function
    imports it at once, and a wrapper of our own around it would be compiled itself, which fails.
    """

    def of(function: Callable[P, R]) -> Callable[P, R]:
        outside: Callable[P, R] = _disable_dynamo(function)
        outside._torchdynamo_disable = True  # type: ignore[attr-defined]
        outside._torchdynamo_disable_msg = reason  # type: ignore[attr-defined]
        return outside

    return of


def now(outside: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what `outside_the_graph` has made: where torch's compiler was never imported, the function itself."""
    if torch.compiler.is_compiling() or "torch._dynamo" in sys.modules:
        return outside(*args, **kwargs)
    return cast(R, outside.__wrapped__(*args, **kwargs))  # type: ignore[attr-defined]
