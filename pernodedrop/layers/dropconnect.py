"""DropConnectLinear: a dense layer that drops weights, one mask a forward pass for the whole batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pernodedrop.functional import dropconnect_average, dropconnect_linear
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.layers.regularizing import Regularizing, must_be_called, own_weight, watched


class DropConnectLinear(Noisy, Regularizing, nn.Linear):
    """`nn.Linear` with W * r / (1 - p), r ~ Bernoulli(1 - p), in training; dense in evaluation.

    Input (..., I), output (..., J). The bias is never dropped. Source: Wan et al. 2013.

    Raises:
        ValueError: drop_rate outside [0, 1).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_drop_rate(drop_rate)
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.drop_rate = drop_rate
        self.generator = generator
        self.add_switch()
        must_be_called(self)

    @property
    def is_active(self) -> bool:
        return self.draws

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return self.product(input, own_weight(self), self.bias)

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        if not self.draws:
            return nn.functional.linear(input, weight, bias)
        return dropconnect_linear(input, weight, bias, self.drop_rate, generator=self.generator)

    def averaged(self, x: Tensor, activation: Callable[[Tensor], Tensor], *, samples: int = 1000) -> Tensor:
        """Wan et al.'s inference in place of activation(forward(x)); see `functional.dropconnect_average`."""
        return dropconnect_average(
            x, self.weight, self.bias, self.drop_rate, activation, samples=samples, generator=self.generator
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.drop_rate}"
