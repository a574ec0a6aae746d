"""Shakeout: dropout that also moves every weight by a constant along its sign (Kang, Li and Tao 2016)."""

from collections.abc import Mapping
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.laws import check_drop_rate
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, NoisyLinear, check_number
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size


class ShakeoutLinear(NoisyLinear):
    """y_j = sum_i x_i (m_i W_ji + c (m_i - 1) sign W_ji) + b_j, m_i = r / (1 - p), r ~ Bernoulli(1 - p) per sample.

    The mean is the dense product and the variance p / (1 - p) sum_i x_i^2 (|W_ji| + c)^2, so a weight near 0 is as
    noisy as c: that drives it to 0. c = 0 is Dropout. The sign is that of the weight itself, so its derivative is 0;
    the authors' code has that of a smooth tanh. Source: Kang, Li and Tao 2018, arXiv:1904.06593.

    Raises:
        ValueError: drop_rate outside [0, 1), or c negative or not finite.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        c: float = 0.1,
        **made: Unpack[Made],
    ) -> None:
        check_drop_rate(drop_rate)
        check_number("c", c, least=0.0)
        super().__init__(Size(in_features, out_features, bias), **made)
        self.drop_rate = drop_rate
        self.c = c

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        if self.drop_rate == 0.0:
            return nn.functional.linear(x, weight, bias)
        kept = draws.uniform((*rows, x.shape[-1]), self.generator, device=x.device) >= self.drop_rate
        factors = kept.to(x.dtype) / (1.0 - self.drop_rate)
        dropped = nn.functional.linear(x * factors, weight, bias)
        if self.c == 0.0:
            return dropped
        return dropped + self.c * nn.functional.linear(x * (factors - 1.0), weight.sign())

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.drop_rate}, c={self.c}"


class Shakeout(NoisyLayer):
    """Weights shaken along their signs, which makes them sparse (Kang, Li and Tao 2016)."""

    options: ClassVar[Mapping[str, float | str]] = {"c": 0.1}

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        c = self.option(settings, "c")
        return ShakeoutLinear(*size, drop_rate=settings.drop_rate, c=c, generator=generator, device=device)
