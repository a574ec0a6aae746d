"""Inputs of several tensors: in a dictionary or a tuple, which may hold others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from workers.tasks.errors import InvalidInputs
from workers.tasks.sparse_rows import SparseRows

# A batch as a model takes it.
Batch = Tensor | SparseRows | dict[str, "Batch"] | tuple["Batch", ...]


class Structured:
    """Tensors or sparse rows of the same samples (N, ...) in a dictionary or a tuple, in place of one tensor of inputs.

    Like a tensor it has len(inputs), inputs[a:b], inputs[indices], inputs.split(size), device and nbytes; `parts` is
    the dictionary or tuple itself, which is what a model gets of a batch.

    Raises:
        InvalidInputs: a part is something else, has another number of samples, or lies on another device; the message
            names it.
    """

    def __init__(self, parts: Mapping[str, Any] | tuple[Any, ...], what: str = "inputs") -> None:
        found = list(leaves(parts, what))
        if not found:
            raise InvalidInputs(f"{what} must hold at least one tensor, got an empty {type(parts).__name__}")
        (where, first), *others = found
        for name, part in found:
            if not isinstance(part, SparseRows) and not (isinstance(part, Tensor) and part.dim() > 0):
                raise InvalidInputs(f"{name} must be a tensor with a row for each sample, got {described(part)}")
        for name, part in others:
            if len(part) != len(first) or part.device != first.device:
                ours, theirs = (f"{len(each)} samples on {each.device}" for each in (part, first))
                raise InvalidInputs(f"{name} must be of the same samples and device as {where}, {theirs}: got {ours}")
        self.parts: Any = mapped(parts, lambda part: part)
        self._first: Tensor | SparseRows = first

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, chosen: slice | Tensor) -> "Structured":
        """Some samples: a slice as views, or a copy of those with indices (M,)."""
        return Structured(mapped(self.parts, lambda part: part[chosen]))

    def split(self, size: int) -> Iterator["Structured"]:
        """All samples in order, `size` at a time, the last fewer."""
        return (self[first : first + size] for first in range(0, len(self), size))

    @property
    def device(self) -> torch.device:
        return self._first.device

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for _, part in leaves(self.parts))


def mapped(parts: Any, function: Callable[[Any], Any]) -> Any:
    """The same dictionaries and tuples with function(part) for every part."""
    if isinstance(parts, Mapping):
        return {name: mapped(part, function) for name, part in parts.items()}
    if isinstance(parts, tuple):
        found = [mapped(part, function) for part in parts]
        return type(parts)(*found) if hasattr(parts, "_fields") else tuple(found)  # a named tuple keeps its names
    return function(parts)


def leaves(parts: Any, what: str = "") -> Iterator[tuple[str, Any]]:
    """The parts that are no dictionaries or tuples, in order, each with its place: what['mask'][0]."""
    if isinstance(parts, Mapping | tuple):
        for key, part in parts.items() if isinstance(parts, Mapping) else enumerate(parts):
            yield from leaves(part, f"{what}[{key!r}]")
    else:
        yield what, parts


def stacked(samples: Sequence[Any]) -> Any:
    """A batch of single samples: tensors, arrays or numbers, in the dictionaries and tuples that the first one has.

    Raises:
        ValueError: samples differ in their parts or shapes.
    """
    first = samples[0]
    if isinstance(first, Mapping | tuple):
        if any(type(each) is not type(first) or len(each) != len(first) for each in samples):
            raise ValueError("samples have different parts")
        if isinstance(first, Mapping):
            return {name: stacked([each[name] for each in samples]) for name in first}
        columns = [stacked(list(column)) for column in zip(*samples, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    tensors = [torch.as_tensor(each) for each in samples]
    shapes = sorted({tuple(each.shape) for each in tensors})
    if len(shapes) > 1:
        raise ValueError(f"samples have the shapes {shapes[0]} and {shapes[1]}: pad or cut them to one")
    return torch.stack(tensors)


def described(value: Any) -> str:
    """A few words for what somebody's own code has returned."""
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"a tensor of {kind} and shape {tuple(value.shape)} on {value.device}"
    if isinstance(value, SparseRows):
        return f"{len(value)} sparse rows on {value.device}"
    if isinstance(value, Mapping | tuple):
        inner = (
            [f"{name!r}: {described(part)}" for name, part in value.items()]
            if isinstance(value, Mapping)
            else [described(part) for part in value]
        )
        return f"a {'dictionary' if isinstance(value, Mapping) else 'tuple'} of ({', '.join(inner)})"
    if isinstance(value, Real):
        return f"the number {value}"
    return "None" if value is None else f"a {type(value).__name__}"
