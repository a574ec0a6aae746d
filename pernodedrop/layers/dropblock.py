"""DropBlock2d: contiguous squares of feature maps are dropped together."""

import torch
from torch import Tensor

from pernodedrop.functional import drop_block
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf


class DropBlock2d(Noisy):
    """DropBlock (Ghiasi, Lin and Le 2018, arXiv:1810.12890) in training, the identity in evaluation.

    Input and output (B, C, H, W), (C, H, W) or with more leading dimensions; blocks of `block_size` pixels a side,
    drawn for every map.

    Raises:
        ValueError: drop_rate outside [0, 1), block_size below 1, or a map smaller than a block.
    """

    def __init__(
        self, drop_rate: float = 0.1, block_size: int = 7, *, generator: torch.Generator | None = None
    ) -> None:
        check_drop_rate(drop_rate)
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}")
        super().__init__()
        self.drop_rate = drop_rate
        self.block_size = block_size
        self.generator = generator
        self.add_switch()

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        if not self.draws:
            return x
        return drop_block(x, self.drop_rate, self.block_size, generator=self.generator)

    def extra_repr(self) -> str:
        return f"drop_rate={self.drop_rate}, block_size={self.block_size}"
