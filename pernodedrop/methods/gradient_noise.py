"""Gaussian noise in the gradient, which decays (Neelakantan et al. 2015, arXiv:1511.06807)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from pernodedrop.layers.noisy import Noisy
from pernodedrop.methods.elsewhere import Elsewhere
from pernodedrop.objectives import GradientNoise
from pernodedrop.places import GRADIENT
from pernodedrop.regularization import Regularization

DECAY = 0.55  # the authors' gamma


class GradientNoiseRegularizer(Elsewhere):
    """Adds N(0, eta / (1 + t)^0.55) to every number of the gradient of step t, from 0; the loss is untouched.

    The noise has the same variance in every direction, unlike that of masks. It has no drop rate.

    Raises:
        ValueError: eta is negative or not finite.
    """

    place = GRADIENT
    options: ClassVar[Mapping[str, float | str]] = {"eta": 0.01}

    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        raise AssertionError("no module is at this place")

    def gradient_noise(self, settings: Regularization) -> GradientNoise | None:
        eta = float(self.option(settings, "eta"))
        if not 0.0 <= eta < math.inf:
            raise ValueError(f"eta must be finite and at least 0, got {eta}")
        if eta == 0.0:
            return None

        @torch.no_grad()
        def add(parameters: Sequence[nn.Parameter], number: int) -> None:
            deviation = math.sqrt(eta / (1 + number) ** DECAY)
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.add_(torch.randn_like(parameter.grad), alpha=deviation)

        return add
