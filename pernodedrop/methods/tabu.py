"""Tabu dropout: a unit that was dropped is kept for a while (Ma et al. 2018; Hasan et al. 2022, arXiv:2501.00538)."""

from collections.abc import Mapping
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.generators import state_of_this_pass
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.noisy import DrawnOnce
from pernodedrop.methods.noisy_linear import Made, NoisyLayer, NoisyLinear
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Size


class TabuLinear(DrawnOnce, NoisyLinear):
    """`nn.Linear` of x * kept / P(kept), one mask over the inputs (I) for the whole batch in every training forward.

    An input is dropped with probability p, but not in the `tenure` forwards after it was dropped. So it is dropped in
    a share q = p / (1 + p tenure) of the forwards, and the mask's autocorrelation at lag 1 is -q / (1 - q), which is
    -p at tenure 1. The first mask has this law already. Where p changes, the chance of a forward is q_t = p_t (1 -
    q_(t-1) - ... - q_(t-tenure)), and the mean of the factors stays 1. The buffers `waits` (I,), the forwards for
    which an input is still kept, and `chances` (tenure,), the last q_t, are in the state dict. Masks drawn in
    evaluation, for Monte Carlo predictions, are independent, drop the share q and leave the buffers alone.

    Raises:
        ValueError: drop_rate outside [0, 1), or tenure is no whole number of at least 1.
    """

    own = drawn = ("waits", "chances")
    takes_complex = True
    waits: Tensor
    chances: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        tenure: int = 1,
        **made: Unpack[Made],
    ) -> None:
        check_drop_rate(drop_rate)
        if isinstance(tenure, bool) or not isinstance(tenure, int) or tenure < 1:
            raise ValueError(f"tenure must be a whole number of at least 1, got {tenure!r}")
        super().__init__(Size(in_features, out_features, bias), **made)
        self.drop_rate = drop_rate
        self.tenure = tenure
        self.register_buffer("waits", torch.zeros(in_features, dtype=torch.int64, device=self.weight.device))
        self.register_buffer("chances", torch.zeros(tenure, dtype=torch.float32, device=self.weight.device))
        self.reset_own()

    @property
    def effective_drop_rate(self) -> float:
        """The share of the forwards in which an input is dropped, at a constant drop rate."""
        return self.drop_rate / (1.0 + self.drop_rate * self.tenure)

    def draw_again(self) -> None:
        self.reset_own()

    def reset_own(self) -> None:
        """Draw a past of the stationary law."""
        if self.waits.is_meta:
            return
        self.waits.zero_()
        share = self.effective_drop_rate
        self.chances.fill_(share)
        if share > 0.0:
            past = draws.uniform(self.waits.shape, self.generator, device=self.waits.device) / share
            self.waits.copy_(torch.where(past < self.tenure, past.floor() + 1.0, 0.0))

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        dropped, chance = self._next() if self.training else self._independent()
        factors = (~dropped / (1.0 - chance)).to(x.dtype)
        return nn.functional.linear(x * factors, weight, bias)

    def _next(self) -> tuple[Tensor, Tensor | float]:
        """Which inputs (I,) are dropped now, and the chance of it, a scalar; moves the state on."""
        (waits, chances), moves = state_of_this_pass(self.waits, self.chances)
        dropped = self._dropped(self.drop_rate) & (waits == 0)
        chance = self.drop_rate * (1.0 - chances.sum())
        if moves:
            self.waits.copy_(torch.where(dropped, self.tenure, (waits - 1).clamp(min=0)))
            self.chances.copy_(torch.cat([chance.unsqueeze(0), chances[:-1]]))
        return dropped, chance

    def _independent(self) -> tuple[Tensor, float]:
        share = self.effective_drop_rate
        return self._dropped(share), share

    def _dropped(self, rate: float) -> Tensor:
        if rate == 0.0:
            return torch.zeros_like(self.waits, dtype=torch.bool)
        return draws.uniform(self.waits.shape, self.generator, device=self.waits.device) < rate

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.drop_rate}, tenure={self.tenure}"


class Tabu(NoisyLayer):
    """Dropout of the inputs that drops none again too soon (Ma et al. 2018; Hasan et al. 2022)."""

    options: ClassVar[Mapping[str, float | str]] = {"tenure": 1}

    def needs_shape(self, settings: Regularization) -> bool:
        return True

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        tenure = self.option(settings, "tenure")
        return TabuLinear(*size, drop_rate=settings.drop_rate, tenure=tenure, generator=generator, device=device)
