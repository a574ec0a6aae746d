"""Masksembles in front of a dense layer (Durasov et al. 2021, arXiv:2012.08334)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from pernodedrop.layers import masksembles
from pernodedrop.passes import Passes
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import InputRegularizer


class Masksembles(InputRegularizer):
    """A few fixed masks, one for each part of a batch (Durasov et al. 2021)."""

    noise = None  # fixed masks are no noise
    merges = False

    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        return masksembles.Masksembles(
            features, drop_rate=settings.drop_rate, batch_dim=settings.batch_dim or 0, generator=generator
        )

    def needs_shape(self, settings: Regularization) -> bool:
        return True

    def unmerged(self, layers: Sequence[nn.Linear]) -> str | None:
        return None if self.passes(layers) is None else "by several masks, which no one weight computes"

    def passes(self, layers: Sequence[nn.Linear]) -> Passes | None:
        """One by each mask: a Masksembles model is the ensemble of its masks (Durasov et al. 2021, section 3)."""
        modules = [module for layer in layers for module in layer.modules()]
        found = [module for module in modules if isinstance(module, masksembles.Masksembles)]
        if all(torch.equal(mask, module.masks[0]) for module in found for mask in module.masks):
            return None  # for example at rate 0

        @contextmanager
        def under(mask: int) -> Iterator[None]:
            for module in found:
                module.only = mask
            try:
                yield
            finally:
                for module in found:
                    module.only = None

        return Passes(found[0].masks.shape[0], under, "one_mask", found)
