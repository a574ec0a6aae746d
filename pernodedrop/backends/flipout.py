"""Flipout (Wen et al. 2018, arXiv:1803.04386): one mask for all samples, each with random signs."""

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.base import Backend
from pernodedrop.laws import Law


class Flipout(Backend):
    """y = x W^T + ((x r)(W n)^T) t with signs r (B, I), t (B, J) and one noise n = m - 1 of shape (J, I).

    Exact for every sample where the noise is symmetric. Samples are uncorrelated yet share |n|; positions of a
    sample share their mask, as they must.
    """

    name = "flipout"
    gradient_noise = "more"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        noise = law.draw(weight.shape, generator=generator, dtype=weight.dtype, device=x.device) - 1.0
        signs = draws.uniform((x.shape[0], sum(weight.shape)), generator, device=x.device)
        signs = torch.where(signs < 0.5, -1.0, 1.0).to(x.dtype).unsqueeze(1)
        r, t = signs[..., : weight.shape[1]], signs[..., weight.shape[1] :]
        return nn.functional.linear(x, weight) + nn.functional.linear(x * r, weight * noise) * t

    def refusal(self, law: Law) -> str | None:
        if law.is_symmetric:
            return None
        rate = f"stir_type {law.name!r} with drop_rate {law.drop_rate}"
        return f"backend 'flipout' needs symmetric noise, got {rate}: use 'auto', or noise that is symmetric about 1"
