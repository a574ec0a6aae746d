"""Dropout: torch's own, whose rate may change in a compiled model."""

import torch
from torch import Tensor, nn

from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Unscriptable, leaf

COMPLEX = "choose block_dropout with block_size 1, which is dropout for complex numbers too, or another regularizer"


class Dropout(Unscriptable, nn.Dropout):
    """`nn.Dropout`, which it equals to the last bit; compiled, another rate needs no other graph.

    A compiled `nn.Dropout` is compiled again for every rate `p`, and from torch's eighth on it runs uncompiled. Here
    a compiled model computes the rate in its graph. So it draws other masks than torch's from the same seed, of the
    same law.
    """

    @property
    def drop_rate(self) -> float:
        """The rate `p`; raises ValueError where it is set outside [0, 1)."""
        return self.p

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        check_drop_rate(rate)
        self.p = rate

    @leaf
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Dropout's own name
        if self.training and input.is_complex():
            raise RuntimeError(f"Dropout takes real numbers, got {input.dtype}: {COMPLEX}")
        if not (self.training and torch.compiler.is_compiling()):
            return super().forward(input)
        keep = 1.0 - self.p * torch.ones((), dtype=torch.float64, device="cpu")
        kept = torch.empty_like(input, dtype=torch.float32).uniform_() < keep
        return torch.where(kept, input / keep, 0.0)
