"""The number format that a model computes in."""

import logging
from contextlib import AbstractContextManager
from functools import cache

import torch
from torch import Tensor

from search_spaces import TaskSpec
from workers import processor
from workers.training.facts import Facts

log = logging.getLogger(__name__)


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


def precision_facts(spec: TaskSpec, device: torch.device) -> Facts:
    """What a result should say of the number format; a process warns once where the device only emulates it."""
    if spec.precision != "bfloat16" or _computes_in_bfloat16(device):
        return {}
    _warn_of_emulation("GPU" if device.type == "cuda" else "processor")
    return {"bfloat16": "emulated"}


@cache
def _warn_of_emulation(device: str) -> None:
    log.warning(
        "precision bfloat16: this %s has no instructions for it and emulates it, often several times slower than "
        "float32: choose precision float32",
        device,
    )


def _computes_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type != "cpu" or processor.has_bfloat16()
