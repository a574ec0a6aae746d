"""torch's autocast, which kernels do not see."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_WITHOUT = ("meta",)  # devices for which torch has no autocast
_COUNTED = ("cpu", "cuda")  # those that torch looks at to say whether it is on anywhere: mps is not


def is_on(tensor: Tensor) -> bool:
    """Return whether autocast casts on the tensor's device."""
    device = tensor.device.type
    if device in _COUNTED and not torch._C._is_any_autocast_enabled():  # the shortest way where it is on nowhere
        return False
    return device not in _WITHOUT and torch.is_autocast_enabled(device)


def cast(tensor: Tensor) -> Tensor:
    """The tensor in the type that torch's own linear would compute in: double precision and integers stay."""
    if not tensor.is_floating_point() or tensor.dtype == torch.float64 or not is_on(tensor):
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))


def off(tensor: Tensor) -> AbstractContextManager[object]:
    """The context in which nothing is cast on the tensor's device."""
    return torch.autocast(tensor.device.type, enabled=False) if is_on(tensor) else nullcontext()
