"""A user's own noise: what it is called with, and the check of its mean."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

_CHECK_DRAWS = 1 << 16
_CHECK_SEED = 0
_CHECK_ERRORS = 5.0  # standard errors; of 1.7 million callables with mean 1 one is refused


class CustomStir(Protocol):
    """A user's own noise, called like `torch.rand`; its mean must be 1."""

    def __call__(
        self,
        shape: Sequence[int],
        /,
        *,
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor: ...


def check_mean(law: CustomStir) -> None:
    """Draw a user's noise, with a separate generator.

    Raises:
        ValueError: the sample mean is further from 1 than chance explains.
    """
    generator = torch.Generator().manual_seed(_CHECK_SEED)
    drawn = law((_CHECK_DRAWS,), generator=generator, dtype=torch.float64, device=torch.device("cpu"))
    if drawn.shape != (_CHECK_DRAWS,):
        raise ValueError(f"a custom stir must return the shape it is asked for, got {tuple(drawn.shape)}")
    mean, error = float(drawn.mean()), float(drawn.std()) / math.sqrt(_CHECK_DRAWS)
    if not abs(mean - 1.0) <= _CHECK_ERRORS * error + 1e-6:
        raise ValueError(f"a custom stir must have mean 1, got {mean:.4f} (standard error {error:.4f})")
