"""Classes that leave training, validation and test, so that a model can be asked about them as strangers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from search_spaces import TaskSpec
from workers.tasks.errors import InvalidOptions

OPTION = "held_out"
LEAST_CLASSES = 2


@dataclass(frozen=True)
class HeldOut:
    """The classes, ascending, that are held out of so many."""

    classes: tuple[int, ...]
    of: int

    @property
    def left(self) -> int:
        """The number of classes that remain."""
        return self.of - len(self.classes)

    def has(self, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each label (N,) is of a class that is held out."""
        return np.isin(labels, self.classes)

    def renumbered(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Labels (N,) of remaining classes as numbers from 0, in the same order."""
        return labels - np.searchsorted(self.classes, labels)


def held_out_names(spec: TaskSpec) -> tuple[str, ...]:
    """The names in the option `held_out`, a text in which spaces or commas separate them; none without the option.

    Raises:
        InvalidOptions: the option is no text, or has no name.
    """
    if OPTION not in spec.options:
        return ()
    value = spec.options[OPTION]
    names = re.split(r"[\s,]+", str(value).strip(" ,"))
    if isinstance(value, bool | float) or names == [""]:
        raise InvalidOptions(f'task.options.held_out must name classes, such as "8 9", got {value!r}')
    return tuple(dict.fromkeys(names))


def held_out_option(spec: TaskSpec, classes: Sequence[str]) -> HeldOut:
    """The classes of these names that the option `held_out` names, by name or by number from 0.

    Raises:
        InvalidOptions: the option is no text, names no class, or leaves fewer than two.
    """
    return held_out_of(spec, sorted({_number(spec, name, classes) for name in held_out_names(spec)}), len(classes))


def held_out_of(spec: TaskSpec, numbers: Sequence[int], classes: int) -> HeldOut:
    """So many classes without those of these ascending numbers.

    Raises:
        InvalidOptions: fewer than two remain.
    """
    if numbers and classes - len(numbers) < LEAST_CLASSES:
        raise InvalidOptions(
            f"task.options.held_out must leave at least {LEAST_CLASSES} classes of {spec.name} to learn, "
            f"got {len(numbers)} of {classes}: hold out fewer"
        )
    return HeldOut(tuple(numbers), classes)


def _number(spec: TaskSpec, name: str, classes: Sequence[str]) -> int:
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    close = get_close_matches(name, classes, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"it has {', '.join(classes)}"
    raise InvalidOptions(f"task.options.held_out names {name!r}, which is no class of {spec.name}: {remedy}")
