"""Predictions that take several forward passes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass


@dataclass(frozen=True)
class Passes:
    """The forward passes that make one prediction, the mean of their probabilities.

    `under(number)` is the context in which the model computes pass `number`, from 0. `one` is the name of a single pass
    outside these contexts, for example "one_mask".
    """

    count: int
    under: Callable[[int], AbstractContextManager[None]]
    one: str
