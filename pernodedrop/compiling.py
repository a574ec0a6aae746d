"""What `torch.compile` is told about functions that it cannot trace."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def constant(function: F) -> F:
    """Have a compiled model call the function once, while it is traced.

    `torch.compiler.assume_constant_result` sets the same mark, but imports torch's compiler, which takes seconds.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
