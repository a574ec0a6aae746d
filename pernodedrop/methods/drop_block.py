"""DropBlock at the feature maps of a model (Ghiasi, Lin and Le 2018, arXiv:1810.12890)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from pernodedrop.layers.dropblock import DropBlock2d
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.methods.elsewhere import Elsewhere
from pernodedrop.regularization import Regularization


class DropBlock(DropBlock2d, nn.Identity):
    """`DropBlock2d`, which knows the share of pixels that it really drops: `effective_drop_rate`.

    Blocks overlap, and pixels at the border lie in fewer blocks, so the share is smaller than the drop rate. It is that
    at the drop rate of the moment, of the last maps seen in training; before these there is none.
    """

    def __init__(
        self, drop_rate: float = 0.1, block_size: int = 7, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(drop_rate, block_size, generator=generator)
        self._seen: tuple[int, int] | None = None  # height and width of the last maps

    @property
    def effective_drop_rate(self) -> float:
        """The expected share of dropped pixels, in [0, 1)."""
        if self._seen is None:
            raise AttributeError("effective_drop_rate is known once maps were seen in training")
        return dropped_share(self.drop_rate, self.block_size, *self._seen)

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        if self.draws and x.dim() >= 3:
            self._seen = x.shape[-2], x.shape[-1]
        return super().forward(x)


class DropBlockRegularizer(Elsewhere):
    """`DropBlock` at every "map"; the authors raise the rate linearly: drop_rate_schedule linear_up."""

    place = "map"
    options: ClassVar[Mapping[str, float | str]] = {"block_size": 7}

    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        size = self.option(settings, "block_size")
        if isinstance(size, bool) or not isinstance(size, int):
            raise ValueError(f"block_size must be a whole number, got {size!r}")
        return DropBlock(settings.drop_rate, size, generator=generator)


def dropped_share(drop_rate: float, block_size: int, height: int, width: int) -> float:
    """The mean over the pixels of 1 - (1 - gamma)^n, n the number of blocks that cover a pixel, gamma their rate."""
    if drop_rate == 0.0:
        return 0.0  # whatever the size of the maps
    corners = (height - block_size + 1) * (width - block_size + 1)
    gamma = drop_rate * height * width / (block_size**2 * corners)

    def covering(side: int) -> list[int]:
        return [min(at + 1, side - at, block_size, side - block_size + 1) for at in range(side)]

    shares = [1.0 - (1.0 - gamma) ** (rows * columns) for rows in covering(height) for columns in covering(width)]
    return sum(shares) / len(shares)
