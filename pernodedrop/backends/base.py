"""The interface of a backend: one way to compute a layer, for the laws that it can compute."""

import abc
import warnings
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pernodedrop.laws import Law

# Beside the masks' own: the same, less or more of it, or that of an approximation, whose law no mask has.
GradientNoise = Literal["full", "less", "more", "approximate"]

_WARNED: set[str] = set()


class Backend(abc.ABC):
    """One way to compute y_btj = sum_i x_bti m_bji W_ji, without a bias."""

    name: ClassVar[str]
    shares_masks: ClassVar[bool] = True  # whether the positions of a sample can have one mask
    gradient_noise: ClassVar[GradientNoise | None] = None  # of a step on many samples; None: not known

    @abc.abstractmethod
    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        """x (B, T, I) and weight (J, I) give (B, T, J), with one mask a sample b, shared by its T positions."""

    @abc.abstractmethod
    def refusal(self, law: Law) -> str | None:
        """The reason why the backend can never compute this law, with the remedy; None where it can."""

    def is_available(self, x: Tensor) -> bool:
        """Return whether the backend computes with this type of tensor; where not, the mask runs instead."""
        return True

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        """Return whether "auto" may choose it here: it is exact, and faster than those behind it in the list."""
        return False


def warn_once(message: str) -> None:
    """Warn, unless this process did so before: a layer would repeat the warning at every step."""
    if message in _WARNED:
        return
    _WARNED.add(message)
    warnings.warn(message, RuntimeWarning, stacklevel=2)
