"""Standout: every unit is kept with a probability that its own weights compute (Ba and Frey 2013)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, RatelessLinear, at_least_single, check_number
from pernodedrop.nested import on_padded
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size


class StandoutLinear(RatelessLinear):
    """(x W + b)_j r_j, r_j ~ Bernoulli(sigmoid(sum_i x_i (alpha W_ji + beta))); in evaluation times that probability.

    It is not inverted: the mean of r is not 1. It acts in front of the activation f, which is the authors' dropout of
    hidden units for relu; where only f(0) = 0, as for tanh, it is that in training alone. No gradient flows to the
    probability in training, since the drawn r has none. Source: Ba and Frey 2013, with tied weights.

    Raises:
        ValueError: alpha is negative, or a number is not finite.
    """

    why = "standout computes its rates from its inputs"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        alpha: float = 1.0,
        beta: float = 0.0,
        **made: Unpack[Made],
    ) -> None:
        check_number("alpha", alpha, least=0.0)
        check_number("beta", beta)
        super().__init__(Size(in_features, out_features, bias), **made)
        self.alpha, self.beta = alpha, beta

    @property
    def is_active(self) -> bool:
        return True

    def keep(self, x: Tensor, weight: Tensor) -> Tensor:
        """The probability (..., J) with which a unit is kept for x (..., I), in single precision at least."""
        logits = self.alpha * nn.functional.linear(x, weight).to(at_least_single(x))
        if self.beta != 0.0:
            logits = logits + self.beta * x.to(logits.dtype).sum(-1, keepdim=True)
        return logits.sigmoid()

    def quiet(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return on_padded(lambda dense: self._expected(dense, weight, bias), x)

    def _expected(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = nn.functional.linear(x, weight, bias)
        return y * self.keep(x, weight).to(y.dtype)

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        y = nn.functional.linear(x, weight, bias)
        drawn = draws.uniform((*rows, weight.shape[0]), self.generator, device=x.device)
        return y * (drawn < self.keep(x, weight)).to(y.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, alpha={self.alpha}, beta={self.beta}"


class Standout(NoisyLayer):
    """Units kept with probabilities that the layer itself computes (Ba and Frey 2013)."""

    options: ClassVar[Mapping[str, float | str]] = {"alpha": 1.0, "beta": 0.0}
    merges = False

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        alpha, beta = self.option(settings, "alpha"), self.option(settings, "beta")
        return StandoutLinear(*size, alpha=alpha, beta=beta, generator=generator, device=device)

    def unmerged(self, layers: Sequence[nn.Linear]) -> str:
        return "by a probability of the input, which no weight computes"
