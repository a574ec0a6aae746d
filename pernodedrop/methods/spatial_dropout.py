"""SpatialDropout: whole channels of a feature map are dropped (Tompson et al. 2015, arXiv:1411.4280)."""

from collections.abc import Mapping
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.grouping import check_batch_dim
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.methods.elsewhere import Elsewhere
from pernodedrop.regularization import Regularization

Layout = Literal["maps", "sequence", "signal"]
_SHAPES: Mapping[str, str] = {"maps": "(B, C, H, W)", "sequence": "(B, T, C)", "signal": "(B, C, L)"}


class SpatialDropout(Noisy, nn.Identity):
    """x * r / (1 - p) in training, r ~ Bernoulli(1 - p) one for each sample and channel; the identity in evaluation.

    `layout` says what an input is: "maps" (B, C, H, W) or with more dimensions of space, "sequence" (B, T, C),
    "signal" (B, C, L). With `batch_dim` 1 a sequence is (T, B, C); elsewhere samples and channels may change places.
    torch's nn.Dropout2d takes three dimensions for (B, C, L), whatever they are; here they must be said.

    Raises:
        ValueError: drop_rate outside [0, 1), an unknown layout, or inputs of another.
        RuntimeError: a nested input.
    """

    batch_dim: int = 0  # of a module that an earlier release has pickled

    def __init__(
        self,
        drop_rate: float = 0.5,
        layout: Layout = "maps",
        *,
        batch_dim: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_drop_rate(drop_rate)
        check_batch_dim(batch_dim)
        if layout not in get_args(Layout):
            raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, got {layout!r}")
        super().__init__()
        self.drop_rate = drop_rate
        self.layout = layout
        self.batch_dim = batch_dim
        self.generator = generator
        self.add_switch()

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        if x.is_nested:
            raise RuntimeError("x must be one dense tensor, got a nested tensor: pad it")
        if x.dim() < 4 if self.layout == "maps" else x.dim() != 3:
            raise ValueError(
                f"x must be {_SHAPES[self.layout]} for the layout {self.layout!r}, got shape {tuple(x.shape)}: "
                f"choose another of {', '.join(_SHAPES)}"
            )
        if not self.draws or self.drop_rate == 0.0:
            return x
        shape = [1] * x.dim()
        for at in (self.batch_dim, -1) if self.layout == "sequence" else (0, 1):
            shape[at] = x.shape[at]
        kept = draws.uniform(shape, self.generator, device=x.device) >= self.drop_rate
        return x * (kept.to(x.dtype) / (1.0 - self.drop_rate))

    def extra_repr(self) -> str:
        return f"drop_rate={self.drop_rate}, layout={self.layout}"


class SpatialDropoutRegularizer(Elsewhere):
    """`SpatialDropout` at every "map"."""

    place = "map"
    options: ClassVar[Mapping[str, float | str]] = {"layout": "maps"}

    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        layout, batch_dim = self.option(settings, "layout"), settings.batch_dim or 0
        return SpatialDropout(settings.drop_rate, layout, batch_dim=batch_dim, generator=generator)
