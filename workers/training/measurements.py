"""What an epoch tells beside losses and metrics."""

import torch
from torch import Tensor, nn


def gradient_norm(model: nn.Module) -> Tensor:
    """The Euclidean length of the gradient that the model holds, a scalar on its device."""
    return torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory` count from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, float]:
    """train_peak_bytes, the most that tensors have held on a GPU since the reset; nothing elsewhere."""
    if device.type != "cuda":
        return {}
    return {"train_peak_bytes": float(torch.cuda.max_memory_allocated(device))}
