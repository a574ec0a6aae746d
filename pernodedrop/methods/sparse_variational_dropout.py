"""Sparse variational dropout: a noise for every weight, and no weight where it wins (Molchanov et al. 2017)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop.merging import merge_factors
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, at_least_single, check_number
from pernodedrop.methods.weight_noise import WeightNoiseLinear, with_divergence
from pernodedrop.objectives import Objective
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size

MOST = 8.0  # of |log alpha|
PRUNED = 3.0  # log alpha above which a weight is 0: its dropout rate is above .95
_TINY = 1e-16  # beside a squared weight


class SparseVariationalDropoutLinear(WeightNoiseLinear):
    """y ~ N(x W + b, sum_i alpha_ji x_i^2 W_ji^2), log alpha_ji = log_variance_ji - log W_ji^2, cut to [-8, 8].

    In evaluation the weights of log alpha above 3 are 0. Source: Molchanov, Ashukha and Vetrov 2017, arXiv:1701.05369.

    Raises:
        ValueError: the initial log variance is not finite.
    """

    why = "sparse_variational_dropout learns its noise"
    own = ("log_variance",)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        initial_log_variance: float = -10.0,
        **made: Unpack[Made],
    ) -> None:
        check_number("initial_log_variance", initial_log_variance)
        super().__init__(Size(in_features, out_features, bias), **made)
        self.initial_log_variance = initial_log_variance
        empty = self.weight.new_empty(self.weight.shape, dtype=at_least_single(self.weight))
        self.log_variance = nn.Parameter(empty)
        self.reset_own()

    def reset_own(self) -> None:
        nn.init.constant_(self.log_variance, self.initial_log_variance)

    @property
    def is_active(self) -> bool:
        return True

    def log_alpha_of(self, weight: Tensor) -> Tensor:
        wide = weight.to(at_least_single(weight))
        return (self.log_variance.to(wide.dtype) - (wide * wide + _TINY).log()).clamp(-MOST, MOST)

    def kept(self, weight: Tensor) -> Tensor:
        """1 where a weight (J, I) counts in evaluation, 0 where its noise drowns it."""
        return (self.log_alpha_of(weight) <= PRUNED).to(weight.dtype)

    def quiet(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return nn.functional.linear(x, weight * self.kept(weight), bias)

    def divergence(self) -> Tensor:
        return divergence(self.log_alpha_of(self.weight)).sum()


def divergence(log_alpha: Tensor) -> Tensor:
    """KL(N(w, alpha w^2) || the log-uniform prior) of one weight, 0 for infinite alpha; within .01 of the exact one.

    A fit of Molchanov et al. 2017.
    """
    fit = 0.63576 * (1.0 - (1.87320 + 1.48695 * log_alpha).sigmoid())
    return fit + 0.5 * nn.functional.softplus(-log_alpha)


class SparseVariationalDropout(NoisyLayer):
    """A learned noise for every weight, which removes weights (Molchanov et al. 2017).

    The loss must be the mean negative log likelihood: + KL / N makes it the evidence lower bound. The divergence's
    weight rises from 0 to 1 in the first `kl_warmup` of the steps.

    Raises:
        ValueError: kl_warmup lies outside [0, 1], or the initial log variance is not finite.
    """

    options: ClassVar[Mapping[str, float | str]] = {"initial_log_variance": -10.0, "kl_warmup": 0.2}

    def needs_shape(self, settings: Regularization) -> bool:
        return True

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        self._warmup(settings)
        start = self.option(settings, "initial_log_variance")
        return SparseVariationalDropoutLinear(*size, initial_log_variance=start, generator=generator, device=device)

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        warmup = self._warmup(settings)
        return with_divergence(layers, lambda done: min(1.0, done / warmup) if warmup > 0.0 else 1.0)

    def merge(self, model: nn.Module, name: str, layer: nn.Linear) -> None:
        assert isinstance(layer, SparseVariationalDropoutLinear)
        with torch.no_grad():
            merge_factors(model, name, layer, layer.kept(layer.weight))

    def _warmup(self, settings: Regularization) -> float:
        warmup = check_number("kl_warmup", self.option(settings, "kl_warmup"), least=0.0)
        if warmup > 1.0:
            raise ValueError(f"kl_warmup must be a share of the steps, at most 1, got {warmup}")
        return warmup
