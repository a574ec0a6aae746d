"""What somebody else's distribution brings: a law, a regularizer and a backend that the package does not know."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pernodedrop import Law, Regularization
from pernodedrop.backends.base import Backend
from pernodedrop.regularizers import InputRegularizer

ENTRY_POINTS = {
    "pernodedrop.laws": "laplace = tests.extensions.outside:Laplace",
    "pernodedrop.regularizers": "uniform = tests.extensions.outside:Uniform",
    "pernodedrop.backends": "one_by_one = tests.extensions.outside:ONE_BY_ONE",
}


@dataclass(frozen=True)
class Laplace(Law):
    """m = 1 + b l, l ~ Laplace(1), with the variance p / (1 - p) of the others and the heavy tails of its own."""

    name = "laplace"

    @property
    def variance(self) -> float:
        return self.drop_rate / (1 - self.drop_rate)

    @property
    def is_symmetric(self) -> bool:
        return True

    def sample(
        self, shape: Sequence[int], *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        u = torch.empty(shape, dtype=dtype, device=device).uniform_(-0.5, 0.5, generator=generator)
        return 1 - math.sqrt(self.variance / 2) * u.sign() * torch.log1p(-2 * u.abs() * (1 - 1e-7))


class UniformNoise(nn.Module):
    """x * U(1 - p, 1 + p) in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.empty_like(x).uniform_(1 - self.rate, 1 + self.rate) if self.training else x


class Uniform(InputRegularizer):
    """Uniform factors on every feature."""

    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        return UniformNoise(settings.drop_rate)


class OneByOne(Backend):
    """The mask of one sample after the other."""

    name = "one_by_one"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        draws = (law.draw(weight.shape, generator=generator, dtype=x.dtype, device=x.device) for _ in x)
        return torch.stack([rows @ (weight * mask).T for rows, mask in zip(x, draws, strict=True)])

    def refusal(self, law: Law) -> str | None:
        return None


ONE_BY_ONE = OneByOne()


def install(folder: Path) -> None:
    """Make `folder` what `pip install` would make of such a distribution, for every process that has it on its path."""
    info = folder / "outside-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    groups = "\n".join(f"[{group}]\n{entry}\n" for group, entry in ENTRY_POINTS.items())
    (info / "entry_points.txt").write_text(groups)
