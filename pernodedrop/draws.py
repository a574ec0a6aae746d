"""Random tensors; floats are drawn in place, since torch.randn traces no symbolic shape beside a generator."""

from collections.abc import Sequence

import torch
from torch import Tensor


def normal(
    shape: Sequence[int], generator: torch.Generator | None, *, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """N(0, 1)."""
    return torch.empty(shape, dtype=dtype, device=device).normal_(generator=generator)


def uniform(shape: Sequence[int], generator: torch.Generator | None, *, device: torch.device) -> Tensor:
    """U[0, 1) in single precision."""
    return torch.empty(shape, dtype=torch.float32, device=device).uniform_(generator=generator)


def seed(generator: torch.Generator | None, *, device: torch.device) -> Tensor:
    """One int64 on the device, so that nothing waits for a GPU."""
    return torch.randint(1 << 62, (1,), generator=generator, device=device)
