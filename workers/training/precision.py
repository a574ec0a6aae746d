"""The number format that a model computes in."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from search_spaces import TaskSpec


def computing(spec: TaskSpec, device: torch.device) -> AbstractContextManager[None]:
    """The context of a model's forward pass: torch's autocast where the study asks for bfloat16.

    Weights, their gradients and Adam's averages stay in single precision. Loss and metrics are computed in it too,
    from `widened` outputs, which have bfloat16's eight significant bits. bfloat16 has the exponents of single
    precision, so gradients need no scaling.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bfloat16")


def widened(outputs: Tensor) -> Tensor:
    """Outputs (B, ...) for the loss: in single precision where autocast has narrowed them."""
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
