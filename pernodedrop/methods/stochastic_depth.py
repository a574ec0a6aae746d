"""Stochastic depth: whole residual branches are dropped (Huang et al. 2016, arXiv:1603.09382)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.grouping import check_batch_dim
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.methods.elsewhere import Elsewhere, samples_at
from pernodedrop.regularization import Regularization

Mode = Literal["row", "batch", "original"]


class StochasticDepth(Noisy, nn.Identity):
    """Stands at the end of a residual branch, before the addition, and keeps it with probability 1 - `share` p.

    mode "row": x * r / keep, one r ~ Bernoulli(keep) for each sample (timm's DropPath); "batch": one for all samples.
    Both are the identity in evaluation. "original", as the authors have it: x * r with one r for all samples, and
    x * keep in evaluation. Input (B, ...), with `batch_dim` 1 (T, B, C). `share` is l / L for the l-th of L branches,
    from 1.

    Raises:
        ValueError: drop_rate outside [0, 1), an unknown mode, or with `batch_dim` 1 an input of more dimensions, whose
            samples it cannot know.
    """

    batch_dim: int = 0  # of a module that an earlier release has pickled

    def __init__(
        self,
        drop_rate: float = 0.5,
        mode: Mode = "row",
        *,
        share: float = 1.0,
        batch_dim: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_drop_rate(drop_rate)
        check_batch_dim(batch_dim)
        if mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, got {mode!r}")
        super().__init__()
        self.drop_rate = drop_rate
        self.mode = mode
        self.share = share
        self.batch_dim = batch_dim
        self.generator = generator
        self.add_switch()

    @property
    def keep(self) -> float:
        """The probability of the branch, in (0, 1]."""
        return 1.0 - self.share * self.drop_rate

    @leaf
    def forward(self, x: Tensor) -> Tensor:
        keep = self.keep
        if keep == 1.0:
            return x
        if not self.draws:
            return x * keep if self.mode == "original" else x
        shape = [1] * x.dim()
        if self.mode == "row":
            at = samples_at(x, self.batch_dim)
            shape[at] = x.shape[at]
        kept = (draws.uniform(shape, self.generator, device=x.device) < keep).to(x.dtype)
        return x * (kept if self.mode == "original" else kept / keep)

    def extra_repr(self) -> str:
        return f"drop_rate={self.drop_rate}, mode={self.mode}, share={self.share:g}"


class StochasticDepthRegularizer(Elsewhere):
    """`StochasticDepth` at every "branch" of a model: the l-th of L is kept with probability 1 - (l / L) p.

    With drop_rate_schedule linear_up it is ScheduledDropPath (Zoph et al. 2018, arXiv:1707.07012) of residual branches.
    """

    place = "branch"
    options: ClassVar[Mapping[str, float | str]] = {"mode": "row"}

    def module(self, at: nn.Module, settings: Regularization, generator: torch.Generator | None) -> Noisy:
        mode, batch_dim = self.option(settings, "mode"), settings.batch_dim or 0
        return StochasticDepth(settings.drop_rate, mode, batch_dim=batch_dim, generator=generator)

    def unmerged(self, layers: Sequence[nn.Module]) -> str | None:
        scaled = any(isinstance(at, StochasticDepth) and at.mode == "original" and at.keep < 1.0 for at in layers)
        return "with its branches times their probability, which no nn.Identity computes" if scaled else None

    def arrange(self, made: Sequence[nn.Module]) -> None:
        for number, branch in enumerate(made, 1):
            assert isinstance(branch, StochasticDepth)
            branch.share = number / len(made)
