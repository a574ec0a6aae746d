"""Variational dropout: Gaussian noise on the weights, of a learned strength (Kingma et al. 2015, arXiv:1506.02557)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop.laws import check_drop_rate
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, at_least_single
from pernodedrop.methods.weight_noise import WeightNoiseLinear, with_divergence
from pernodedrop.objectives import Objective
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size

SHARES = ("layer", "unit", "weight")


class VariationalDropoutLinear(WeightNoiseLinear):
    """y ~ N(x W + b, sum_i alpha x_i^2 W_ji^2), alpha in (0, 1] learned for the layer, every unit j or every weight.

    The mean weights predict. alpha starts from p / (1 - p), the variance of dropout's mask. It is kept at 1 at most by
    reflection, log alpha = -|log_alpha|: a parameter that was cut off there would not move any more. At a fixed alpha
    it is PerNodeDrop with Gaussian noise. Source: Kingma, Salimans and Welling 2015, arXiv:1506.02557.

    Raises:
        ValueError: drop_rate lies outside (0, .5], or the name of what shares an alpha is unknown.
    """

    why = "variational_dropout learns its noise"
    own = ("log_alpha",)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        alpha_per: str = "layer",
        **made: Unpack[Made],
    ) -> None:
        check_drop_rate(drop_rate)
        if not 0.0 < drop_rate <= 0.5:
            rule = "drop_rate must lie in (0, 0.5], so that alpha = p / (1 - p) lies in (0, 1]"
            raise ValueError(f"{rule} for variational_dropout, got {drop_rate}")
        if alpha_per not in SHARES:
            raise ValueError(f"alpha_per must be one of {', '.join(SHARES)}, got {alpha_per!r}")
        super().__init__(Size(in_features, out_features, bias), **made)
        self.initial_rate = drop_rate
        shape = {"layer": (1,), "unit": (out_features, 1), "weight": (out_features, in_features)}[alpha_per]
        self.log_alpha = nn.Parameter(self.weight.new_empty(shape, dtype=at_least_single(self.weight)))
        self.reset_own()

    def reset_own(self) -> None:
        nn.init.constant_(self.log_alpha, math.log(self.initial_rate / (1.0 - self.initial_rate)))

    def log_alpha_of(self, weight: Tensor) -> Tensor:
        free = self.log_alpha.to(at_least_single(weight))
        return torch.where(free <= 0.0, free, -free)  # at 0 too there is a way back

    def divergence(self) -> Tensor:
        return divergence(self.log_alpha_of(self.weight)).mean() * self.weight.numel()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.initial_rate}"


def divergence(log_alpha: Tensor) -> Tensor:
    """KL(N(w, alpha w^2) || the log-uniform prior) of one weight, less its value at alpha = 1; for alpha <= 1.

    Kingma et al. 2015, a fit by a polynomial: within .006 for alpha above .11, within .037 below. It falls in alpha.
    """
    alpha = log_alpha.exp()
    one, two, three = 1.16145124, -1.50204118, 0.58629921
    return -(0.5 * log_alpha + one * (alpha - 1.0) + two * (alpha**2 - 1.0) + three * (alpha**3 - 1.0))


class VariationalDropout(NoisyLayer):
    """Gaussian noise on the weights, whose strength is learned by the evidence lower bound (Kingma et al. 2015).

    The loss must be the mean negative log likelihood: + KL / N makes it the bound.
    """

    options: ClassVar[Mapping[str, float | str]] = {"alpha_per": "layer"}

    def needs_shape(self, settings: Regularization) -> bool:
        return bool(self.option(settings, "alpha_per") == "weight")

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        rate, per = settings.drop_rate, self.option(settings, "alpha_per")
        return VariationalDropoutLinear(*size, drop_rate=rate, alpha_per=per, generator=generator, device=device)

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        return with_divergence(layers, lambda _done: 1.0)
