"""Predictions that take several forward passes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Passes:
    """The forward passes that make one prediction, the mean of their probabilities.

    `under(number)` is the context in which the model computes pass `number`, from 0. `one` is the name of a single pass
    outside these contexts, for example "one_mask". `modules` are those that compute differently in every pass: what
    runs before all of them may be computed once. Without any, everything is repeated.
    """

    count: int
    under: Callable[[int], AbstractContextManager[None]]
    one: str
    modules: Sequence[nn.Module] = ()


def cut(model: nn.Module, modules: Sequence[nn.Module]) -> tuple[nn.Module, nn.Module]:
    """The model as what runs before all of these modules, and the rest; only a plain sequence can be cut."""
    if type(model) is nn.Sequential:
        for place, child in enumerate(model):
            if any(module in modules for module in child.modules()):
                return model[:place], model[place:]
    return nn.Identity(), model
