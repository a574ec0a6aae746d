"""Moves Gaussian noise from the connections to the pre-activations, where its law is the same.

Local reparameterization (Kingma, Salimans and Welling 2015, arXiv:1506.02557): a linear map of Gaussians is
Gaussian, and no two pre-activations share a connection, so the joint law of the whole output is kept. The
gradient is the conditional mean of the mask's gradient given the output: the same mean, a smaller variance.
"""

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends import kernel
from pernodedrop.backends.base import Backend
from pernodedrop.backends.stirred_product import drawn, stirred_product
from pernodedrop.laws import Law


class Reparameterized(Backend):
    """y = x W^T + sqrt(s^2 v) eps, v = sum_i z x^2 W^2; exact for one position a mask (T = 1).

    z is 1 for Gaussian noise; for partial Gaussian noise it is drawn per connection, and given z the noise is
    Gaussian again.
    """

    name = "reparameterized"
    shares_masks = False

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None and lowering.variance is not None  # refused otherwise
        mean = nn.functional.linear(x, weight)
        if lowering.probability is None:
            square = nn.functional.linear(x * x, weight * weight)
        else:
            square = _noisy_square(x, weight, lowering.probability, generator)
        return with_deviation(mean, square, lowering.variance, generator)

    def refusal(self, law: Law) -> str | None:
        lowering = law.lowering()
        if lowering is not None and lowering.is_gaussian:
            return None
        return f"backend 'reparameterized' needs Gaussian noise, got stir_type {law.name!r}: use 'kernel' or 'auto'"

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return x.shape[1] == 1 and self.refusal(law) is None


def with_deviation(mean: Tensor, square: Tensor, variance: float, generator: torch.Generator | None) -> Tensor:
    """mean + sqrt(variance * square) eps; the gradient is 0 where square is 0 (zero rows), not infinite."""
    noise = draws.normal(mean.shape, generator, dtype=mean.dtype, device=mean.device)
    positive = square > 0
    deviation = torch.sqrt(variance * torch.where(positive, square, 1.0))
    return mean + noise * torch.where(positive, deviation, 0.0)


def _noisy_square(x: Tensor, weight: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    if kernel.is_available(x):
        seed = draws.seed(generator, device=x.device)
        factors, _ = drawn(probability)
        return stirred_product(x * x, weight * weight, seed, factors)
    shape = (x.shape[0], *weight.shape)
    noisy = draws.uniform(shape, generator, device=x.device) < probability
    return torch.bmm(x * x, (noisy * (weight * weight)).transpose(1, 2))
