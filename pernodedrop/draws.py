"""Random tensors from a generator; None stands for torch's default one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pernodedrop.generators import in_this_pass


def normal(
    shape: Sequence[int], generator: torch.Generator | None, *, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """N(0, 1)."""
    if generator is None:
        return torch.randn(shape, dtype=dtype, device=device)
    return in_this_pass(generator, lambda own: torch.randn(shape, generator=own, dtype=dtype, device=device))


def uniform(shape: Sequence[int], generator: torch.Generator | None, *, device: torch.device) -> Tensor:
    """U[0, 1) in single precision."""
    if generator is None:
        return torch.rand(shape, dtype=torch.float32, device=device)
    return in_this_pass(generator, lambda own: torch.rand(shape, generator=own, dtype=torch.float32, device=device))


def seed(generator: torch.Generator | None, *, device: torch.device) -> Tensor:
    """One int64 on the device, so that nothing waits for a GPU."""
    if generator is None:
        return torch.randint(1 << 62, (1,), device=device)
    return in_this_pass(generator, lambda own: torch.randint(1 << 62, (1,), generator=own, device=device))
