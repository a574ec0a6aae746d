"""Masksembles: each contiguous chunk of the batch gets one of a few fixed masks over the features."""

from typing import Any

import torch
from torch import Tensor

from pernodedrop.layers.noisy import Unscriptable, leaf
from pernodedrop.masksembles import MASKS, effective_drop_rate, generate_masks
from pernodedrop.nested import on_padded


class Masksembles(Unscriptable):
    """x * mask_g for the samples of chunk g, in training and evaluation alike, without rescaling.

    Input (B, ...) with `features` at `feature_dim`, output of the same shape. A batch that is no multiple of
    `masks` is cut into chunks whose sizes differ by at most one. The masks are in the state dict.
    `effective_drop_rate` is the share of features that a mask drops on average.

    Raises:
        ValueError: a drop rate without masks (scale outside [1, 6]) or a shape that does not fit.
    """

    masks: Tensor

    def __init__(
        self,
        features: int,
        *,
        drop_rate: float = 0.5,
        masks: int = MASKS,
        feature_dim: int = -1,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        drawn = generate_masks(features, drop_rate, masks, generator=generator)
        super().__init__()
        self.features = features
        self._drop_rate = drop_rate
        self.feature_dim = feature_dim
        self.only: int | None = None  # the one mask for every sample; None: each chunk has its own
        self.effective_drop_rate = effective_drop_rate(drop_rate, masks)
        self.register_buffer("masks", drawn.to(device=device, dtype=dtype or torch.get_default_dtype()))
        self.generator = generator

    @property
    def drop_rate(self) -> float:
        """The drop rate that the masks were drawn at; raises ValueError where another is set."""
        return self._drop_rate

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        raise ValueError(f"Masksembles draws its masks once: its drop rate must stay, got {rate}")

    def reset_parameters(self) -> None:
        """Draw the masks again, into the memory where they lie."""
        drawn = generate_masks(self.features, self.drop_rate, self.masks.shape[0], generator=self.generator)
        self.masks.copy_(drawn)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "drop_rate" in state:  # a layer pickled by an earlier release
            state = state | {"_drop_rate": state["drop_rate"], "generator": None}
            del state["drop_rate"]
        super().__setstate__(state)  # type: ignore[no-untyped-call]

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        return on_padded(self._masked, x)

    def _masked(self, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.shape[self.feature_dim] != self.features:
            raise ValueError(
                f"x must be a batch with {self.features} features at dimension {self.feature_dim}, "
                f"got shape {tuple(x.shape)}"
            )
        samples, masks = x.shape[0], self.masks.shape[0]
        chunk = torch.arange(samples, device=x.device) * masks // max(samples, 1)
        if self.only is not None:
            chunk = torch.full_like(chunk, self.only)
        shape = [samples, *[1] * (x.dim() - 1)]
        shape[self.feature_dim] = self.features
        return x * self.masks[chunk].to(x.dtype).reshape(shape)

    def extra_repr(self) -> str:
        return f"{self.features}, drop_rate={self.drop_rate}, masks={self.masks.shape[0]}"
