"""Flipout (Wen et al. 2018, arXiv:1803.04386): one mask for all samples, each with random signs."""

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.base import Backend, OverTime
from pernodedrop.laws import Law
from pernodedrop.processes import Autoregressive, factors_over_time


class Flipout(Backend):
    """y = x W^T + ((x r)(W n)^T) t with signs r (B, I), t (B, J) and one noise n = m - 1 of shape (J, I).

    Exact for every sample where the noise is symmetric. Samples are uncorrelated yet share |n|; positions of a
    sample share their mask, as they must. Over time the noise n follows the law's process and the signs stay.
    """

    name = "flipout"
    gradient_noise = "more"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        noise = law.draw(weight.shape, generator=generator, dtype=weight.dtype, device=x.device) - 1.0
        r, t = _signs(x, weight, generator)
        return nn.functional.linear(x, weight) + nn.functional.linear(x * r, weight * noise) * t

    def linear_over_time(
        self, x: Tensor, weight: Tensor, law: Law, over_time: OverTime, generator: torch.Generator | None
    ) -> Tensor:
        masks = factors_over_time(
            law, weight.shape, over_time.correlation, generator=generator, dtype=weight.dtype, device=x.device
        )
        r, t = _signs(x, weight, generator)
        parts = torch.split(x * r, over_time.rows, dim=1)
        noisy = [nn.functional.linear(rows, weight * (next(masks) - 1.0)) for rows in parts]
        return nn.functional.linear(x, weight) + torch.cat(noisy, dim=1) * t

    def refusal(self, law: Law) -> str | None:
        if law.is_symmetric:
            return None
        rate = f"stir_type {law.name!r} with drop_rate {law.drop_rate}"
        return f"backend 'flipout' needs symmetric noise, got {rate}: use 'auto', or noise that is symmetric about 1"

    def refusal_over_time(self, law: Law) -> None:
        return None

    def suits_over_time(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return isinstance(law.process, Autoregressive)


def _signs(x: Tensor, weight: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Fair signs r (B, 1, I) and t (B, 1, J)."""
    signs = draws.uniform((x.shape[0], sum(weight.shape)), generator, device=x.device)
    signs = torch.where(signs < 0.5, -1.0, 1.0).to(x.dtype).unsqueeze(1)
    return signs[..., : weight.shape[1]], signs[..., weight.shape[1] :]
