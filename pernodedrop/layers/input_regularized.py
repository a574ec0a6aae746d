"""InputRegularizedLinear: a dense layer with a regularizer of its input inside."""

import torch
from torch import Tensor, nn


class InputRegularizedLinear(nn.Linear):
    """`nn.Linear` of `regularizer(x)`: what `regularize` puts where a dense layer stood."""

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
