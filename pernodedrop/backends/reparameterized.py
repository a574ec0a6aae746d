"""Moves Gaussian noise from the connections to the pre-activations, where its law is the same.

Local reparameterization (Kingma, Salimans and Welling 2015, arXiv:1506.02557): a linear map of Gaussians is
Gaussian, and no two pre-activations share a connection, so the joint law of the whole output is kept. The
gradient is the conditional mean of the mask's gradient given the output: the same mean, a smaller variance.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from pernodedrop import autocast, draws
from pernodedrop.backends import kernel
from pernodedrop.backends.base import Backend, OverTime, positions, warn_once
from pernodedrop.backends.cholesky import correlated_noise, pays
from pernodedrop.backends.stirred_product import drawn, stirred_product
from pernodedrop.laws import Law
from pernodedrop.processes import Autoregressive


class Reparameterized(Backend):
    """y = x W^T + sqrt(s^2 v) eps, v = sum_i z x^2 W^2; exact for one position a mask (T = 1).

    z is 1 for Gaussian noise; for partial Gaussian noise it is drawn per connection, and given z the noise is
    Gaussian again. Masks that change slowly over time are exact too: see `cholesky`.
    """

    name = "reparameterized"
    shares_masks = False
    gradient_noise = "less"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None and lowering.variance is not None  # refused otherwise
        mean = nn.functional.linear(x, weight)
        if lowering.probability is None:
            square = squared_product(x, weight)
        else:
            square = _noisy_square(squarable(x), squarable(weight), lowering.probability, generator)
        return with_deviation(mean, square, lowering.variance, generator)

    def linear_over_time(
        self, x: Tensor, weight: Tensor, law: Law, over_time: OverTime, generator: torch.Generator | None
    ) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None and lowering.variance is not None  # refused otherwise
        mean = nn.functional.linear(x, weight)
        x, weight = _summable(x), _summable(weight)
        squares = weight * weight
        if lowering.probability is not None:
            shape = (x.shape[0], *weight.shape)
            squares = squares * (draws.uniform(shape, generator, device=x.device) < lowering.probability)
        with _uncast(x):
            return mean + correlated_noise(x, squares, lowering.variance, over_time, generator).to(mean.dtype)

    def refusal_over_time(self, law: Law) -> str | None:
        if isinstance(law.process, Autoregressive):
            return None
        return f"backend {self.name!r} needs Gaussian noise where masks change over time: use 'mask' or 'auto'"

    def suits_over_time(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        refused = self.refusal(law) or self.refusal_over_time(law)
        return not refused and pays(x) and not x.is_complex()

    def refusal(self, law: Law) -> str | None:
        lowering = law.lowering()
        if lowering is not None and lowering.is_gaussian:
            return None
        return f"backend 'reparameterized' needs Gaussian noise, got stir_type {law.name!r}: use 'kernel' or 'auto'"

    def is_available(self, x: Tensor) -> bool:
        return are_squares_of_reals(x, self.name)

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return positions(x) == 1 and not x.is_complex() and self.refusal(law) is None


def are_squares_of_reals(x: Tensor, backend: str) -> bool:
    """Return whether x is real; warns once where not: real noise on complex terms is no complex Gaussian."""
    if x.is_complex():
        warn_once(f"backend {backend!r} computes no complex numbers: backend 'mask' runs instead")
    return not x.is_complex()


def squarable(tensor: Tensor) -> Tensor:
    """The tensor in single precision where it is in half: there the square of 300 is infinite and that of 1e-4 is 0."""
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _summable(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def squared_product(x: Tensor, weight: Tensor) -> Tensor:
    """(x * x)(W * W)^T for x (..., I) and weight (J, I), in a type that holds squares."""
    x, weight = squarable(x), squarable(weight)
    with _uncast(x):
        return nn.functional.linear(x * x, weight * weight)


def _uncast(x: Tensor) -> AbstractContextManager[object]:
    """In it autocast leaves x alone; it would cast single precision, which `squarable` has chosen, to half."""
    if x.dtype != torch.float32 or not autocast.is_on(x):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)


def with_deviation(mean: Tensor, square: Tensor, variance: float, generator: torch.Generator | None) -> Tensor:
    """mean + sqrt(variance * square) eps; the gradient is 0 where square is 0 (zero rows), not infinite."""
    noise = draws.normal(mean.shape, generator, dtype=mean.dtype, device=mean.device)
    positive = square > 0
    deviation = torch.sqrt(variance * torch.where(positive, square, 1.0))
    return mean + noise * torch.where(positive, deviation, 0.0).to(mean.dtype)


def _noisy_square(x: Tensor, weight: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    if kernel.is_available(x):
        seed = draws.seed(generator, device=x.device)
        factors, _ = drawn(probability)
        return stirred_product(x * x, weight * weight, seed, factors)
    shape = (x.shape[0], *weight.shape)
    noisy = draws.uniform(shape, generator, device=x.device) < probability
    with _uncast(x):
        return torch.bmm(x * x, (noisy * (weight * weight)).transpose(1, 2))
