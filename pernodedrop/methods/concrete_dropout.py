"""Concrete dropout: dropout whose rate is learned through a smooth mask (Gal, Hron and Kendall 2017)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.laws import check_drop_rate
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, RatelessLinear, at_least_single, check_number
from pernodedrop.objectives import Objective, Step
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size


class ConcreteDropoutLinear(RatelessLinear):
    """`nn.Linear` of x z / (1 - p), z = sigmoid(-(logit p + logit u) / temperature), u ~ U(0, 1) per sample and input.

    p is learned from drop_rate on, as `logit`. The smooth mask varies less than dropout's p / (1 - p): by a tenth at
    temperature .1, by a third to a half at 2/3, where its mean is not 1 either, but .94 at p = .2 and 1.13 at p = .7.
    Dense in evaluation. Source: Gal, Hron and Kendall 2017, arXiv:1705.07832.

    Raises:
        ValueError: drop_rate lies outside (0, 1), or the temperature is not above 0.
    """

    why = "concrete_dropout learns its drop rate"
    own = ("logit",)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        temperature: float = 0.1,
        **made: Unpack[Made],
    ) -> None:
        check_drop_rate(drop_rate)
        if drop_rate == 0.0:
            raise ValueError(f"drop_rate must lie in (0, 1) for concrete_dropout, which starts there, got {drop_rate}")
        check_number("temperature", temperature, above=0.0)
        super().__init__(Size(in_features, out_features, bias), **made)
        self.initial_rate, self.temperature = drop_rate, temperature
        self.logit = nn.Parameter(self.weight.new_empty(1, dtype=at_least_single(self.weight)))
        self.reset_own()

    def reset_own(self) -> None:
        nn.init.constant_(self.logit, math.log(self.initial_rate / (1.0 - self.initial_rate)))

    @property
    def drop_rate(self) -> float:
        """The rate p as it is; raises ValueError where it is set."""
        return self.logit.detach().sigmoid().item()

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        raise ValueError(f"{self.why}: its drop rate cannot be set, got {rate}")

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        logit = self.logit.to(at_least_single(x))
        drawn = draws.uniform((*rows, x.shape[-1]), self.generator, device=x.device)
        factors = smooth_factors(logit, drawn.to(logit.dtype), self.temperature)
        return nn.functional.linear(x * factors.to(x.dtype), weight, bias)

    def regularization(self, of_weights: float, of_rate: float) -> Tensor:
        """of_weights |W|^2 / (1 - p) + of_rate I (p log p + (1 - p) log(1 - p)), a scalar."""
        weight, logit = self.weight.to(self.logit.dtype), self.logit.squeeze()
        log_p, log_keep = nn.functional.logsigmoid(logit), nn.functional.logsigmoid(-logit)
        entropy = -(logit.sigmoid() * log_p + (-logit).sigmoid() * log_keep)
        return of_weights * weight.square().sum() * (1.0 + logit.exp()) - of_rate * self.in_features * entropy

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.initial_rate}, temperature={self.temperature}"


def smooth_factors(logit: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    """z / (1 - p) of the shape of `drawn`, uniform numbers in [0, 1): at 0, whose logit is infinite, z is 1."""
    z = (-(logit + drawn.logit()) / temperature).sigmoid()
    return z * (1.0 + logit.exp())  # 1 / (1 - p)


class ConcreteDropout(NoisyLayer):
    """Dropout that learns its rate (Gal, Hron and Kendall 2017).

    It adds w |W|^2 / (1 - p) + c I (p log p + (1 - p) log(1 - p)) of every layer with I inputs to the loss, where
    w = length_scale^2 / (tau N), c = 2 / (tau N) and N is the size of the training split. tau is the precision of the
    targets' noise if the loss is the mean squared error, and 2 if it is the mean negative log likelihood, as a cross
    entropy is.

    Raises:
        ValueError: a number is out of range.
    """

    options: ClassVar[Mapping[str, float | str]] = {"temperature": 0.1, "length_scale": 0.01, "tau": 2.0}

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        self._scales(settings)
        rate, temperature = settings.drop_rate, self.option(settings, "temperature")
        return ConcreteDropoutLinear(*size, drop_rate=rate, temperature=temperature, generator=generator, device=device)

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        length_scale, tau = self._scales(settings)
        held = [layer for layer in dict.fromkeys(layers) if isinstance(layer, ConcreteDropoutLinear)]

        def bound(step: Step) -> Tensor:
            loss = step.loss(step.forward())
            share = 1.0 / (tau * step.samples)
            for layer in held:
                loss = loss + layer.regularization(length_scale**2 * share, 2.0 * share)
            return loss

        return bound

    def _scales(self, settings: Regularization) -> tuple[float, float]:
        length_scale = check_number("length_scale", self.option(settings, "length_scale"), least=0.0)
        return length_scale, check_number("tau", self.option(settings, "tau"), above=0.0)
