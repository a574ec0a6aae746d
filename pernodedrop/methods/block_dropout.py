"""DropBlock over the units of a layer: blocks of neighbouring features fall together.

Pal, Lane, Vidal and Haeffele, On the Regularization Properties of Structured Dropout, CVPR 2020, whose blocks are a
partition of the hidden units. The squares of `DropBlock2d` overlap and have another law.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.functional import check_numbers
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.layers.regularizing import must_be_called
from pernodedrop.nested import on_padded
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import InputRegularizer


class BlockDropout(InputRegularizer):
    """Dropout with one draw for each block of `block_size` neighbouring features; 1 is Dropout.

    In a linear network it induces the squared spectral k-support norm with k = block_size, where Dropout induces the
    squared nuclear norm: `pernodedrop.linear_theory`.

    Raises:
        ValueError: block_size is no whole number of at least 1, or does not divide the layer's features.
    """

    noise: ClassVar[Literal["own", "shared"] | None] = None  # the features of a block share theirs
    options: ClassVar[Mapping[str, float | str]] = {"block_size": 2}

    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        size = self.option(settings, "block_size")
        if isinstance(size, bool) or size != int(size) or size < 1:
            raise ValueError(f"block_size must be a whole number of at least 1, got {size!r}")
        if features % size:
            raise ValueError(
                f"block_size must divide the {features} features of the layer, got {size}: choose another size or width"
            )
        return FeatureBlocks(settings.drop_rate, int(size), generator=generator)

    def needs_shape(self, settings: Regularization) -> bool:
        return True

    def set_rate_of(self, module: nn.Module, rate: float) -> None:
        assert isinstance(module, FeatureBlocks)
        module.drop_rate = rate


class FeatureBlocks(Noisy):
    """x (..., I) with each block of neighbouring features multiplied by r / (1 - p) in training, r ~ Bernoulli(1 - p).

    A draw for every block and position, as in Dropout; the identity in evaluation.
    """

    def __init__(self, drop_rate: float, block_size: int, *, generator: torch.Generator | None = None) -> None:
        check_drop_rate(drop_rate)
        super().__init__()
        self.drop_rate = drop_rate
        self.block_size = block_size
        self.generator = generator
        self.add_switch()
        must_be_called(self)

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        if not self.draws or self.drop_rate == 0.0:
            return x
        return on_padded(self._dropped, x)

    def _dropped(self, x: Tensor) -> Tensor:
        check_numbers(x)
        if x.dim() == 0:
            raise ValueError("x must end in its features, got shape (): unsqueeze it")
        keep = 1.0 - self.drop_rate
        blocks = (*x.shape[:-1], x.shape[-1] // self.block_size)
        kept = draws.uniform(blocks, self.generator, device=x.device) < keep
        return torch.where(kept.unsqueeze(-1).expand(*blocks, self.block_size).reshape(x.shape), x / keep, 0.0)

    def extra_repr(self) -> str:
        return f"drop_rate={self.drop_rate}, block_size={self.block_size}"
