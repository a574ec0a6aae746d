"""The reference: the mask in memory, one product per sample, differentiable as often as torch is."""

import torch
from torch import Tensor

from pernodedrop.backends.base import Backend
from pernodedrop.laws import Law


class Mask(Backend):
    """Every factor in memory: B * J * I numbers. Computes every law."""

    name = "mask"
    gradient_noise = "full"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        shape = (x.shape[0], *weight.shape)
        mask = law.draw(shape, generator=generator, dtype=weight.dtype, device=weight.device)
        return torch.bmm(x, (mask * weight).transpose(1, 2))

    def refusal(self, law: Law) -> None:
        return None

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return True
