"""The classes that torch's parametrizations make: a new one for every module, above the module's own."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn


def unparametrized(kind: type[Any]) -> type[Any]:
    """The class itself, or the one below it where torch has parametrized a module."""
    bases = kind.__bases__
    made = len(bases) == 1 and "__getstate__" in vars(kind) and kind.__name__ == f"Parametrized{bases[0].__name__}"
    return bases[0] if made else kind


def with_base(kind: type[Any], change: Callable[[type[Any]], type[Any]]) -> type[Any]:
    """The class changed, or the class below it where torch has parametrized a module."""
    below = unparametrized(kind)
    if below is kind:
        return change(kind)
    base = change(below)
    own = {key: value for key, value in vars(kind).items() if key not in ("__dict__", "__weakref__", "__doc__")}
    own.pop("__deepcopy__", None)  # torch gives one where the base has none, and would hide that of a base
    if not hasattr(base, "__deepcopy__"):
        own["__deepcopy__"] = _copied
    return type(f"Parametrized{base.__name__}", (base,), own)


def state_of(module: nn.Module) -> Any:
    """What a copy of the module has; of a parametrized one all that it has, as torch copies one.

    Torch refuses its state, to keep it from being pickled, and that of a recurrence has weights that are computed.
    """
    is_plain = unparametrized(type(module)) is type(module)
    return module.__getstate__() if is_plain else dict(vars(module))  # type: ignore[no-untyped-call]


def _copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """A deep copy, as torch makes one of a parametrized module."""
    twin = type(module).__new__(type(module))
    memo[id(module)] = twin
    twin.__dict__ = copy.deepcopy(vars(module), memo)
    return twin
