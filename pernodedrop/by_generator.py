"""What is kept of a generator for as long as it lives. Torch's take weak references since release 2.13 only."""

import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

import torch

Value = TypeVar("Value")


class Swept(MutableMapping[torch.Generator, Value], Generic[Value]):
    """A dictionary that drops the generators which nobody else holds, whenever it has grown to twice its size."""

    def __init__(self) -> None:
        self._values: dict[torch.Generator, Value] = {}
        self._full = 64

    def __setitem__(self, generator: torch.Generator, value: Value) -> None:
        self._values[generator] = value
        if len(self._values) >= self._full:
            for left in _held_by_two(list(self._values)):
                self._values.pop(left, None)
            self._full = max(64, 2 * len(self._values))

    def __getitem__(self, generator: torch.Generator) -> Value:
        return self._values[generator]

    def __delitem__(self, generator: torch.Generator) -> None:
        del self._values[generator]

    def __iter__(self) -> Iterator[torch.Generator]:
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)


def by_generator() -> MutableMapping[torch.Generator, Value]:
    """An empty dictionary that keeps no generator from being freed, or not for long."""
    try:
        ref(torch.Generator())
    except TypeError:
        return Swept()
    return WeakKeyDictionary()


def _held_by_two(generators: Sequence[torch.Generator]) -> list[torch.Generator]:
    """Those that only a dictionary and this list hold."""
    in_a_list = [object()]
    in_both = dict.fromkeys(in_a_list)
    [two] = _references(in_a_list)
    del in_both
    return [one for one, held in zip(generators, _references(generators), strict=True) if held <= two]


def _references(those: Sequence[object]) -> list[int]:
    """How often each is held, by the counting itself too: how often that is differs among Python's releases."""
    return [sys.getrefcount(one) for one in those]
