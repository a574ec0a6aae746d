"""The interface of a backend: one way to compute a layer, for the laws that it can compute."""

import abc
import warnings
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from pernodedrop.laws import Law

# Beside the masks' own: the same, less or more of it, or that of an approximation, whose law no mask has.
GradientNoise = Literal["full", "less", "more", "approximate"]

_WARNED: set[str] = set()


class OverTime(NamedTuple):
    """How masks change over the rows of a sample: see `pernodedrop.processes`."""

    correlation: float  # of neighbouring positions, strictly between -1 and 1, or -1, and not 0
    rows: int = 1  # that meet one mask, before the next position begins


class Backend(abc.ABC):
    """One way to compute y_btj = sum_i x_bti m_bji W_ji; `suits` and `is_available` are asked with x (B, I) too."""

    name: ClassVar[str]
    shares_masks: ClassVar[bool] = True  # whether the positions of a sample can have one mask
    gradient_noise: ClassVar[GradientNoise | None] = None  # of a step on many samples; None: not known

    @abc.abstractmethod
    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        """x (B, T, I) and weight (J, I) give (B, T, J), with one mask a sample b, shared by its T positions."""

    def layer(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, law: Law, generator: torch.Generator | None
    ) -> Tensor:
        """`linear` with a bias (J,), and of x (B, I) too, which gives (B, J): its samples have one position each."""
        rows = x if x.dim() == 3 else x.unsqueeze(1)
        y = self.linear(rows, weight, law, generator)
        y = y if x.dim() == 3 else y.squeeze(1)
        return y if bias is None else y + bias

    def linear_of_groups(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        """x (B, T, G, I) and weight (G, J, I) give (B, T, G, J): `linear` for each of G groups by itself."""
        parts = zip(x.unbind(2), weight.unbind(), strict=True)
        return torch.stack([self.linear(rows, own, law, generator) for rows, own in parts], 2)

    @abc.abstractmethod
    def refusal(self, law: Law) -> str | None:
        """The reason why the backend can never compute this law, with the remedy; None where it can."""

    def refusal_over_time(self, law: Law) -> str | None:
        """The reason why the backend cannot compute masks of this law that change over time; None where it can."""
        return f"backend {self.name!r} has no masks that change over time: use 'mask' or 'auto'"

    def linear_over_time(
        self, x: Tensor, weight: Tensor, law: Law, over_time: OverTime, generator: torch.Generator | None
    ) -> Tensor:
        """x (B, T, I) and weight (J, I) give (B, T, J), with masks that follow the law's process over a sample's rows.

        Called where `refusal_over_time` says None; a backend that has it says both.
        """
        raise NotImplementedError

    def suits_over_time(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        """`suits` for masks that change over time; exact for every sample is enough, for such masks cost much."""
        return False

    def is_available(self, x: Tensor) -> bool:
        """Return whether the backend computes with this type of tensor; where not, the mask runs instead."""
        return True

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        """Return whether "auto" may choose it here: it is exact, and faster than those behind it in the list."""
        return False


def positions(x: Tensor) -> int:
    """The positions T of each sample of x (B, T, I), or (B, I), which has one."""
    return 1 if x.dim() == 2 else x.shape[1]


def warn_once(message: str) -> None:
    """Warn, unless this process did so before: a layer would repeat the warning at every step."""
    if message in _WARNED:
        return
    _WARNED.add(message)
    warnings.warn(message, RuntimeWarning, stacklevel=2)
