"""NINR: one noise a sample, which reaches every unit by a learned weight (Levi et al. 2022, arXiv:2210.15764)."""

from collections.abc import Mapping
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, RatelessLinear, at_least_single, check_number
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size


class NinrLinear(RatelessLinear):
    """y = x W + b + w e, e ~ N(0, sigma^2) one for every sample, w (J) learned; dense in evaluation.

    Units and positions of a sample share e. A loss with the Hessian H in y grows by sigma^2 / 2 w^T H w, which the
    training sees as any other loss. w starts from N(0, initial_scale^2).

    Raises:
        ValueError: sigma or initial_scale is negative or not finite.
    """

    why = "ninr has the noise sigma and no drop rate"
    own = ("noise_weight",)
    takes_complex = True
    shares_positions = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        sigma: float = 1.0,
        initial_scale: float = 0.1,
        **made: Unpack[Made],
    ) -> None:
        check_number("sigma", sigma, least=0.0)
        check_number("initial_scale", initial_scale, least=0.0)
        super().__init__(Size(in_features, out_features, bias), **made)
        self.sigma, self.initial_scale = sigma, initial_scale
        self.noise_weight = nn.Parameter(self.weight.new_empty(out_features, dtype=at_least_single(self.weight)))
        self.reset_own()

    def reset_own(self) -> None:
        weight = self.noise_weight
        if not weight.is_meta:
            drawn = draws.normal(weight.shape, self.generator, dtype=weight.dtype, device=weight.device)
            with torch.no_grad():
                weight.copy_(self.initial_scale * drawn)

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        y = nn.functional.linear(x, weight, bias)
        if self.sigma == 0.0:
            return y
        noise = draws.normal((*rows, 1), self.generator, dtype=at_least_single(y), device=x.device)
        return y + (self.noise_weight * (self.sigma * noise)).to(y.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sigma={self.sigma}"


class Ninr(NoisyLayer):
    """A noise that the units of a layer share, by learned weights (Levi et al. 2022)."""

    options: ClassVar[Mapping[str, float | str]] = {"sigma": 1.0, "initial_scale": 0.1}

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        sigma, scale = self.option(settings, "sigma"), self.option(settings, "initial_scale")
        return NinrLinear(*size, sigma=sigma, initial_scale=scale, generator=generator, device=device)
