"""The reference: the mask in memory, one product per sample, differentiable as often as torch is."""

import torch
from torch import Tensor

from pernodedrop.backends.base import Backend, OverTime
from pernodedrop.laws import Law
from pernodedrop.processes import Autoregressive, factors_over_time


class Mask(Backend):
    """Every factor in memory: B * J * I numbers. Computes every law.

    Masks that change over time are drawn one after the other; backward needs all B * T * J * I numbers.
    """

    name = "mask"
    gradient_noise = "full"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        shape = (x.shape[0], *weight.shape)
        mask = law.draw(shape, generator=generator, dtype=weight.dtype, device=weight.device)
        return torch.bmm(x, (mask * weight).transpose(1, 2))

    def linear_of_groups(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        shape = (x.shape[0], *weight.shape)
        mask = law.draw(shape, generator=generator, dtype=weight.dtype, device=weight.device)
        return torch.matmul(mask * weight, x.movedim(1, 3)).movedim(3, 1)

    def linear_over_time(
        self, x: Tensor, weight: Tensor, law: Law, over_time: OverTime, generator: torch.Generator | None
    ) -> Tensor:
        shape = (x.shape[0], *weight.shape)
        masks = factors_over_time(
            law, shape, over_time.correlation, generator=generator, dtype=weight.dtype, device=weight.device
        )
        positions = torch.split(x, over_time.rows, dim=1)
        return torch.cat([torch.bmm(rows, (next(masks) * weight).transpose(1, 2)) for rows in positions], dim=1)

    def refusal(self, law: Law) -> None:
        return None

    def refusal_over_time(self, law: Law) -> None:
        return None

    def suits_over_time(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        # Normal numbers for every connection and position take eight times as long as flipout, and more.
        return not isinstance(law.process, Autoregressive)

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return True
