"""Regularizers that act elsewhere than in a dense layer."""

import abc
from typing import Any

import torch
from torch import Tensor, nn

from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size


class Elsewhere(Regularizer):
    """The modules at the regularizer's `place` become noisy ones of a subclass of theirs; they have no new weights."""

    noise = None

    @abc.abstractmethod
    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        """What `at` is to become: a module of a subclass of its class, without weights of its own (device "meta").

        Raises:
            ValueError: the settings do not fit, or `at` is of another kind than the regularizer can change.
        """

    def made_for(self, linear: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Any:
        return self.module(linear, settings, generator)

    def set_drop_rate(self, layer: nn.Module, rate: float) -> None:
        assert isinstance(layer, Noisy)
        layer.drop_rate = rate

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        check_drop_rate(settings.drop_rate)
        raise ValueError(
            f"{settings.regularizer} acts on a {self.place} of a model, not in a dense layer: "
            "put it into a finished model by regularize"
        )


def samples_at(x: Tensor, batch_dim: int) -> int:
    """The dimension of the samples in x (B, ...), or (T, B, C) where `batch_dim` is 1.

    Raises:
        ValueError: x has no dimension, or `batch_dim` is 1 and it has more than three, such as the maps (B, C, H, W).
    """
    if x.dim() == 0:
        raise ValueError("x must be a batch (B, ...), got shape (): unsqueeze it")
    if batch_dim == 0 or x.is_nested or x.dim() < 3:
        return 0
    if x.dim() > 3:
        raise ValueError(
            f"x must be (T, B, C) where batch_dim is 1, got shape {tuple(x.shape)}: "
            "choose what sees maps by where, with batch_dim=0"
        )
    return batch_dim
