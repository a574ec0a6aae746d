"""Masks that change over time need positions: the first forward pass shows whether a model has any."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


def must_have_positions(model: nn.Module, layers: Iterable[nn.Module], task: str) -> None:
    """Let the model's first training forward raise ValueError where no layer meets inputs (B, T, I) with T > 1."""
    handles: list[Any] = []
    met: list[bool] = []

    def note(_layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        met.append(any(isinstance(x, Tensor) and x.dim() > 2 and x.shape[1:-1].numel() > 1 for x in inputs))

    def judge(model: nn.Module, _inputs: tuple[Any, ...], _outputs: Any) -> None:
        if not model.training:
            return
        for handle in handles:
            handle.remove()
        if not any(met):
            raise ValueError(
                f"time_correlation acts over the positions of a sequence, and no slot of the model of task {task} "
                "meets inputs (B, T, I): remove it, or choose a model of sequences"
            )

    handles += [layer.register_forward_pre_hook(note) for layer in layers]
    handles.append(model.register_forward_hook(judge))
