"""Zoneout: units of a recurrence keep their state for a step (Krueger et al. 2017, arXiv:1606.01305)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.methods.recurrence import OfRecurrence, StepNoise, Unrolled
from pernodedrop.regularization import Regularization


class Zoned(StepNoise):
    """d old + (1 - d) new, d ~ Bernoulli(rate) for each step, sample and unit, or d = rate where nothing is drawn."""

    def __init__(self, of_hidden: Tensor | float, of_cell: Tensor | float) -> None:
        self._of_hidden, self._of_cell = of_hidden, of_cell  # T, B, H

    def hidden(self, step: int, old: Tensor, new: Tensor) -> Tensor:
        return _mixed(self._of_hidden, step, old, new)

    def cell(self, step: int, old: Tensor, new: Tensor) -> Tensor:
        return _mixed(self._of_cell, step, old, new)


def _mixed(kept: Tensor | float, step: int, old: Tensor, new: Tensor) -> Tensor:
    if isinstance(kept, Tensor):
        return torch.where(kept[step], old, new)
    return new if kept == 0.0 else kept * old + (1.0 - kept) * new


class Zoneout(Unrolled):
    """A base in front of nn.LSTM or nn.GRU: h_t = d h_(t-1) + (1 - d) h~_t, d ~ Bernoulli(drop_rate).

    In evaluation d is its mean. The cell of an LSTM does so at its own rate `z_cell`, and h~_t is computed from the
    cell before that; a GRU has no cell and ignores `z_cell`. Nothing is rescaled. At rates of 0 torch's own code runs.

    Raises:
        ValueError: a rate outside [0, 1).
    """

    def __init__(self, *args: Any, drop_rate: float = 0.05, z_cell: float = 0.5, **settings: Any) -> None:
        super().__init__(*args, drop_rate=drop_rate, **settings)
        try:
            inside = bool(0.0 <= z_cell < 1.0)
        except (TypeError, ValueError, RuntimeError):  # no number
            inside = False
        if not inside:
            raise ValueError(f"z_cell must lie in [0, 1), got {z_cell!r}")
        self.z_cell = float(z_cell)

    @property
    def acts(self) -> bool:
        return self.drop_rate > 0.0 or (self.z_cell > 0.0 and self.is_lstm)

    def noise_of(self, x: Tensor, hidden: Tensor) -> StepNoise:
        if not self.draws:
            return Zoned(self.drop_rate, self.z_cell)
        shape = (x.shape[0], *hidden.shape)

        def drawn(rate: float) -> Tensor | float:
            return draws.uniform(shape, self.generator, device=x.device) < rate if rate > 0.0 else 0.0

        return Zoned(drawn(self.drop_rate), drawn(self.z_cell) if self.is_lstm else 0.0)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, z_cell={self.z_cell}"


class ZoneoutLSTM(Zoneout, nn.LSTM):
    """`nn.LSTM` with `Zoneout`."""


class ZoneoutGRU(Zoneout, nn.GRU):
    """`nn.GRU` with `Zoneout`."""


class ZoneoutRegularizer(OfRecurrence):
    """`Zoneout`; the drop rate is that of the hidden state, which the authors set to 0.05 beside 0.5 of the cell."""

    options: ClassVar[Mapping[str, float | str]] = {"z_cell": 0.5}
    merges = False  # the expectation in evaluation is none of torch's own layers
    lstm, gru = ZoneoutLSTM, ZoneoutGRU

    def unmerged(self, layers: Sequence[nn.Module]) -> str | None:
        acts = any(isinstance(layer, Zoneout) and layer.acts for layer in layers)
        return "by the mean of its masks at every step, which no layer of torch computes" if acts else None

    def noise_settings(self, settings: Regularization) -> dict[str, Any]:
        return {"drop_rate": settings.drop_rate, "z_cell": float(self.option(settings, "z_cell"))}
