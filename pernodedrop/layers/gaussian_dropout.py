"""GaussianDropout: multiplicative N(1, p / (1 - p)) noise on every feature."""

import torch
from torch import Tensor

from pernodedrop.functional import gaussian_dropout
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.layers.regularizing import must_be_called
from pernodedrop.nested import on_padded


class GaussianDropout(Noisy):
    """x * N(1, p / (1 - p)) in training, the identity in evaluation; any shape.

    Raises:
        ValueError: drop_rate outside [0, 1).
    """

    def __init__(self, drop_rate: float = 0.5, *, generator: torch.Generator | None = None) -> None:
        check_drop_rate(drop_rate)
        super().__init__()
        self.drop_rate = drop_rate
        self.generator = generator
        self.add_switch()
        must_be_called(self)

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        if not self.draws:
            return x
        return on_padded(lambda dense: gaussian_dropout(dense, self.drop_rate, generator=self.generator), x)

    def extra_repr(self) -> str:
        return f"drop_rate={self.drop_rate}"
