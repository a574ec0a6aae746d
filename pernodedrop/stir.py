"""The multiplicative noise on one connection: its law, its variance, a draw of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pernodedrop import draws
from pernodedrop.names import STIR_TYPES, StirType

_CHECK_DRAWS = 1 << 16
_CHECK_SEED = 0
_CHECK_ERRORS = 5.0  # standard errors; a fair stir is refused once in 1.7 million callables


class CustomStir(Protocol):
    """A user's own noise, called as `torch.rand` would be; its mean must be 1."""

    def __call__(
        self,
        shape: Sequence[int],
        /,
        *,
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Stir:
    """The law of an independent factor m with mean 1 on every connection.

    bernoulli: m = r / (1 - p), r ~ Bernoulli(1 - p). gaussian: m ~ N(1, p / (1 - p)).
    partial_gaussian: m = 1 + z n, z ~ Bernoulli(q), n ~ N(0, p / (1 - p)).

    Raises:
        ValueError: the drop rate p lies outside [0, 1), the noisy fraction q outside [0, 1], the name is
            unknown, or the mean of a callable is not 1.
    """

    drop_rate: float = 0.5
    stir_type: StirType | CustomStir = "bernoulli"
    noisy_fraction: float = 1.0

    def __post_init__(self) -> None:
        check_drop_rate(self.drop_rate)
        check_fraction("noisy_fraction", self.noisy_fraction)
        if callable(self.stir_type):
            return
        if self.stir_type == "custom":
            raise ValueError("stir_type 'custom' names no noise: pass the callable that draws it")
        if self.stir_type not in STIR_TYPES:
            raise ValueError(f"stir_type must be one of {', '.join(STIR_TYPES)} or a callable, got {self.stir_type!r}")

    @property
    def name(self) -> StirType:
        return "custom" if callable(self.stir_type) else self.stir_type

    @property
    def variance(self) -> float:
        """Var[m], without unit; nan for a callable, whose law is its own."""
        if callable(self.stir_type):
            return math.nan
        scale = self.noisy_fraction if self.stir_type == "partial_gaussian" else 1.0
        return scale * noise_variance(self.drop_rate)

    @property
    def is_dense(self) -> bool:
        """Whether m is exactly 1."""
        return self.variance == 0.0

    def draw(
        self,
        shape: Sequence[int],
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent factors of the given shape."""
        dtype = dtype or torch.get_default_dtype()
        device = torch.device(device if device is not None else torch.get_default_device())
        if callable(self.stir_type):
            return self.stir_type(shape, generator=generator, dtype=dtype, device=device)
        if self.is_dense:
            return torch.ones(shape, dtype=dtype, device=device)
        if self.stir_type == "bernoulli":
            kept = draws.uniform(shape, generator, device=device) >= self.drop_rate
            return kept.to(dtype) / (1.0 - self.drop_rate)
        noise = draws.normal(shape, generator, dtype=dtype, device=device)
        noise = noise * math.sqrt(noise_variance(self.drop_rate))
        if self.stir_type == "partial_gaussian":
            noise = noise * (draws.uniform(shape, generator, device=device) < self.noisy_fraction)
        return 1.0 + noise


def noise_variance(drop_rate: float) -> float:
    """p / (1 - p), the variance of an inverted Bernoulli(p) mask and of its Gaussian twin."""
    return drop_rate / (1.0 - drop_rate)


def check_drop_rate(drop_rate: float) -> None:
    """Raises ValueError unless 0 <= drop_rate < 1."""
    if not 0.0 <= drop_rate < 1.0:
        raise ValueError(f"drop_rate must lie in [0, 1), got {drop_rate}")


def check_fraction(name: str, value: float) -> None:
    """Raises ValueError unless 0 <= value <= 1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def check_mean(stir: CustomStir) -> None:
    """Draws a user's noise with a generator of its own.

    Raises:
        ValueError: the sample mean is further from 1 than chance explains.
    """
    generator = torch.Generator().manual_seed(_CHECK_SEED)
    draws = stir((_CHECK_DRAWS,), generator=generator, dtype=torch.float64, device=torch.device("cpu"))
    if draws.shape != (_CHECK_DRAWS,):
        raise ValueError(f"a custom stir must return the shape it is asked for, got {tuple(draws.shape)}")
    mean, error = float(draws.mean()), float(draws.std()) / math.sqrt(_CHECK_DRAWS)
    if not abs(mean - 1.0) <= _CHECK_ERRORS * error + 1e-6:
        raise ValueError(f"a custom stir must have mean 1, got {mean:.4f} (standard error {error:.4f})")
