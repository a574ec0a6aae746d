"""Classes that leave training, validation and test, so that a model can be asked about them as strangers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces import TaskSpec
from search_spaces.evaluation import HELD_OUT
from search_spaces.held_out import count_refusal, held_out_refusal, names_in, place_of
from workers.tasks.errors import InvalidOptions


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
    if HELD_OUT not in spec.options:
        return ()
    names = names_in(spec.options[HELD_OUT])
    if not names:
        raise _refused(held_out_refusal(spec.options[HELD_OUT], spec.name, ()))
    return names


def held_out_option(spec: TaskSpec, classes: Sequence[str]) -> HeldOut:
    """The classes of these names that the option `held_out` names, by name or by number from 0.

    Raises:
        InvalidOptions: the option is no text, names no class, or leaves fewer than two.
    """
    if HELD_OUT not in spec.options:
        return HeldOut((), len(classes))
    if (broken := held_out_refusal(spec.options[HELD_OUT], spec.name, classes)) is not None:
        raise _refused(broken)
    places = (place_of(name, classes) for name in held_out_names(spec))
    return HeldOut(tuple(sorted({place for place in places if place is not None})), len(classes))


def held_out_of(spec: TaskSpec, numbers: Sequence[int], classes: int) -> HeldOut:
    """So many classes without those of these ascending numbers.

    Raises:
        InvalidOptions: fewer than two remain.
    """
    if (broken := count_refusal(len(numbers), spec.name, classes)) is not None:
        raise _refused(broken)
    return HeldOut(tuple(numbers), classes)


def _refused(broken: str | None) -> InvalidOptions:
    return InvalidOptions(f"task.options.{HELD_OUT} {broken}")
