"""Replaces any noise by the Gaussian of equal mean and variance on the pre-activations (fast dropout).

Wang and Manning 2013. Approximate: the law of a pre-activation is off by at most .56 rho / sqrt(n_eff) in
Kolmogorov distance, with rho = ((1 - p)^2 + p^2) / sqrt(p (1 - p)) for Bernoulli noise and
n_eff = (sum_i a_i^2)^3 / (sum_i |a_i|^3)^2, a_i = x_i W_ij.
"""

import torch
from torch import Tensor, nn

from pernodedrop.backends.base import Backend
from pernodedrop.backends.gaussian_product import squared_product, with_deviation
from pernodedrop.backends.reparameterized import are_squares_of_reals
from pernodedrop.laws import Law


class MomentMatched(Backend):
    """y ~ N(x W^T, Var[m] (x * x)(W * W)^T), independent over samples and units; one position a mask (T = 1)."""

    name = "moment_matched"
    shares_masks = False
    gradient_noise = "approximate"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        square = squared_product(x, weight)
        return with_deviation(nn.functional.linear(x, weight), square, law.variance, generator)

    def refusal(self, law: Law) -> str | None:
        if law.variance >= 0.0:  # nan is not; torch.compile traces a comparison
            return None
        return f"backend 'moment_matched' needs a known variance and knows no {law.name} stir: use 'mask' or 'auto'"

    def is_available(self, x: Tensor) -> bool:
        return are_squares_of_reals(x, self.name)
