"""Methods that train otherwise with the noise of another regularizer."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from pernodedrop.names import REGULARIZERS
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size

NOISES = ("dropout", "gaussian_dropout", "dropconnect", "pernodedrop")


class Around(Regularizer):
    """The layers are those of the regularizer that the option `noise` names; a subclass has the objective.

    Raises:
        ValueError: the noise is none of `NOISES`.
    """

    options: ClassVar[Mapping[str, float | str]] = {"noise": "dropout"}
    noise = None  # that of another, whose name explicit_penalty takes
    _within: Regularizer | None = None

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        return self._chosen(settings).layer(size, settings, generator, device)

    def made_for(self, linear: nn.Linear, settings: Regularization, generator: torch.Generator | None) -> Any:
        return self._chosen(settings).made_for(linear, settings, generator)

    def settle(self, layer: nn.Linear) -> None:
        self.within.settle(layer)

    def merge(self, model: nn.Module, name: str, layer: nn.Linear) -> None:
        self.within.merge(model, name, layer)

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        self.within.set_drop_rate(layer, rate)

    @property
    def within(self) -> Regularizer:
        """The regularizer whose noise it is, once a layer was made."""
        assert self._within is not None
        return self._within

    def _chosen(self, settings: Regularization) -> Regularizer:
        noise = self.option(settings, "noise")
        if noise not in NOISES:
            raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
        if self._within is None:
            self._within = REGULARIZERS[noise]()
        return self._within
