"""Masks that change slowly over time need positions, which the first forward pass shows, and one drop rate for all."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear
from search_spaces import TrialConfig


def check_correlation(model: nn.Module, layers: Iterable[nn.Module], config: TrialConfig, task: str) -> None:
    """Refuse `time_correlation` in a model where it does nothing; the model's first training forward raises then.

    Raises:
        ValueError: a schedule of the drop rate would pass rates for which the law has no such correlation.
    """
    if config.extra.get("time_correlation") is None:
        return
    stirred = [layer for layer in layers if isinstance(layer, PerNodeDropLinear)]
    for layer in stirred:
        bounded = layer.stir.process.least(layer.stir) > -1.0 or layer.stir.process.includes_least
        if layer.share_time < 0.0 and bounded and config.drop_rate_schedule != "constant":
            raise ValueError(
                f"drop_rate_schedule must be constant where time_correlation is below 0 and stir_type "
                f"{layer.stir.name!r}: its bound depends on the rate, got {config.drop_rate_schedule!r}"
            )
    if stirred:
        _must_have_positions(model, stirred, task)


def _must_have_positions(model: nn.Module, layers: Iterable[nn.Module], task: str) -> None:
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
