"""Masksembles: each contiguous chunk of the batch gets one of a few fixed masks over the features."""

from typing import Any

import torch
from torch import Tensor

from pernodedrop.generators import check_generator
from pernodedrop.grouping import check_batch_dim
from pernodedrop.layers.noisy import DrawnOnce, Unscriptable, leaf
from pernodedrop.layers.regularizing import must_be_called
from pernodedrop.masksembles import MASKS, effective_drop_rate, generate_masks
from pernodedrop.nested import on_padded
from pernodedrop.rates import as_number


class Masksembles(DrawnOnce, Unscriptable):
    """x * mask_g for the samples of chunk g, in training and evaluation alike, without rescaling.

    Input (B, ...) with `features` at `feature_dim`, output of the same shape. A batch that is no multiple of
    `masks` is cut into chunks whose sizes differ by at most one. The masks are in the state dict. The samples lie at
    `batch_dim` of inputs with three or more dimensions, for example at 1 in (T, B, F).
    `effective_drop_rate` is the share of features that a mask drops on average.

    Raises:
        ValueError: a drop rate without masks (scale outside [1, 6]) or a shape that does not fit.
    """

    drawn = ("masks",)
    masks: Tensor
    batch_dim: int = 0  # of a layer that an earlier release has pickled, as the next
    only: int | None = None  # the one mask for every sample; None: each chunk has its own

    def __init__(
        self,
        features: int,
        *,
        drop_rate: float = 0.5,
        masks: int = MASKS,
        feature_dim: int = -1,
        batch_dim: int = 0,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_batch_dim(batch_dim)
        check_generator(generator)
        drop_rate = as_number(drop_rate)
        drawn = generate_masks(features, drop_rate, masks, generator=generator)
        super().__init__()
        self.features = features
        self._drop_rate = drop_rate
        self.feature_dim = feature_dim
        self.batch_dim = batch_dim
        self.effective_drop_rate = effective_drop_rate(drop_rate, masks)
        place = torch.get_default_device() if device is None else device  # beside the weights that are made now
        self.register_buffer("masks", drawn.to(device=place, dtype=dtype or torch.get_default_dtype()))
        self.generator = generator
        must_be_called(self)

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

    def draw_again(self) -> None:
        self.reset_parameters()

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
        batch_dim = self.batch_dim if x.dim() > 2 else 0
        if batch_dim >= x.dim() or batch_dim == self.feature_dim % x.dim():
            raise ValueError(
                f"x must have its samples beside its features, got shape {tuple(x.shape)} with batch_dim={batch_dim}: "
                "set another batch_dim"
            )
        samples, masks = x.shape[batch_dim], self.masks.shape[0]
        chunk = torch.arange(samples, device=x.device) * masks // max(samples, 1)
        if self.only is not None:
            chunk = torch.full_like(chunk, self.only)
        shape = [1] * x.dim()
        shape[batch_dim], shape[self.feature_dim] = samples, self.features
        met = self.masks[chunk].to(x.dtype)  # B, F
        if self.feature_dim % x.dim() < batch_dim % x.dim():
            met = met.T
        return x * met.reshape(shape)

    def extra_repr(self) -> str:
        return f"{self.features}, drop_rate={self.drop_rate}, masks={self.masks.shape[0]}"
