"""Dense layers whose input is regularized, and the layer by which a model asks for shared noise."""

import torch
from torch import Tensor, nn


class InputRegularizedLinear(nn.Linear):
    """`nn.Linear` of `regularizer(x)`: what `regularize` puts in the place of a dense layer."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        regularizer: nn.Module,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.regularizer = regularizer

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return super().forward(self.regularizer(input))


class SharedNoiseLinear(nn.Linear):
    """`nn.Linear` over the positions of a sequence (B, T, I), in front of a recurrence.

    Any regularizer that replaces it draws its noise once a sample, for all positions: fresh noise at every step would
    drown what the state remembers (Gal and Ghahramani 2016, arXiv:1512.05287).
    """


class SharedOverPositions(nn.Module):
    """A regularizer of features that multiplies every position of a sample (B, T, F) by the same factors."""

    def __init__(self, regularizer: nn.Module) -> None:
        super().__init__()
        self.regularizer = regularizer

    def forward(self, x: Tensor) -> Tensor:
        factors: Tensor = self.regularizer(torch.ones_like(x[:, :1]))  # B, 1, F
        return x * factors
