"""Moves Gaussian noise from the connections to the pre-activations, where its law is the same.

Local reparameterization (Kingma, Salimans and Welling 2015, arXiv:1506.02557): a linear map of Gaussians is
Gaussian, and no two pre-activations share a connection, so the joint law of the whole output is kept. The
gradient is the conditional mean of the mask's gradient given the output: the same mean, a smaller variance.
"""

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends import kernel
from pernodedrop.backends.base import Backend, OverTime, positions, warn_once
from pernodedrop.backends.cholesky import correlated_noise, pays
from pernodedrop.backends.drawn import drawn
from pernodedrop.backends.gaussian_product import Noise, gaussian_product, squarable, uncast, with_deviation
from pernodedrop.laws import Law, Lowering
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
        return self.layer(x, weight, None, law, generator)

    def layer(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, law: Law, generator: torch.Generator | None
    ) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None and lowering.variance is not None  # refused otherwise
        rows = x if x.dim() == 2 else x.flatten(0, 1)
        if lowering.probability is None or kernel.is_available(x):
            chosen = None
            if lowering.probability is not None:
                chosen = draws.seed(generator, device=x.device), drawn(lowering.probability)[0]
            eps = draws.normal((rows.shape[0], weight.shape[0]), generator, dtype=x.dtype, device=x.device)
            y = gaussian_product(rows, weight, bias, Noise(lowering.variance, eps, chosen))
        else:
            y = _without_kernel(rows, weight, lowering, generator)
            y = y if bias is None else y + bias
        return y if x.dim() == 2 else y.view(*x.shape[:2], weight.shape[0])

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
        with uncast(x):
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


def _summable(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _without_kernel(x: Tensor, weight: Tensor, lowering: Lowering, generator: torch.Generator | None) -> Tensor:
    """Partly Gaussian noise on x (B, I), the choices in memory."""
    assert lowering.probability is not None and lowering.variance is not None
    mean = nn.functional.linear(x, weight)
    x, weight = squarable(x), squarable(weight)
    noisy = draws.uniform((x.shape[0], *weight.shape), generator, device=x.device) < lowering.probability
    with uncast(x):
        square = torch.bmm((x * x).unsqueeze(1), (noisy * (weight * weight)).transpose(1, 2)).squeeze(1)
    return with_deviation(mean, square, lowering.variance, generator)
