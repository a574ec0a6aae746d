"""Dense layers with a noise, and perhaps parameters of that noise, of their own."""

import math
from typing import ClassVar, TypedDict

import torch
from torch import Tensor, nn

from pernodedrop.functional import check_numbers
from pernodedrop.layers.dropout import COMPLEX
from pernodedrop.layers.input_regularized import SharedNoiseLinear
from pernodedrop.layers.noisy import Noisy, leaf
from pernodedrop.layers.regularizing import Regularizing, must_be_called, own_weight, watched
from pernodedrop.nested import on_padded
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size


class Made(TypedDict, total=False):
    """What the constructors of all these layers take beside nn.Linear's sizes and their own settings."""

    generator: torch.Generator | None
    device: torch.device | str | None
    dtype: torch.dtype | None


class NoisyLinear(Noisy, Regularizing, nn.Linear):
    """`nn.Linear` that computes `noisy` where it draws, and `quiet` elsewhere.

    Complex numbers are refused where the layer is active, unless the class takes them.

    Input (B, ..., I), output (B, ..., J). Positions between the first and the last dimension have noise of their own
    unless they share that of their sample. The samples lie at `batch_dim` of inputs with three or more dimensions.
    A subclass that names something in `own` makes it after this constructor, and fills it in `reset_own`.
    """

    takes_complex: ClassVar[bool] = False
    shares_positions: bool = False
    batch_dim: int = 0

    def __init__(
        self,
        size: Size,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*size, device=device, dtype=dtype)
        self.generator = generator
        self.add_switch()
        must_be_called(self)

    @property
    def is_active(self) -> bool:
        return self.draws

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return self.product(input, own_weight(self), self.bias)

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        if not self.takes_complex and weight.is_complex() and self.is_active:
            raise RuntimeError(f"{type(self).__name__} takes real numbers, got {weight.dtype}: {COMPLEX}")
        if not self.draws:
            return self.quiet(input, weight, bias)
        batch_dim = 0 if input.is_nested else self.batch_dim
        return on_padded(lambda x: self._drawn(x, weight, bias, batch_dim), input)

    def quiet(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What the layer predicts with: the dense product, unless the method says otherwise."""
        return nn.functional.linear(x, weight, bias)

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        """The product of x (..., I), with noise of shape (*rows, 1, I or J), which broadcasts to that of x."""
        raise NotImplementedError

    def _drawn(self, x: Tensor, weight: Tensor, bias: Tensor | None, batch_dim: int) -> Tensor:
        if x.shape[-1:] != weight.shape[1:]:  # noise of all features would make one of them many
            raise ValueError(f"x must end in {weight.shape[1]} features, got shape {tuple(x.shape)}")
        check_numbers(x)
        if not self.shares_positions or x.dim() < 3:
            return self.noisy(x, weight, bias, tuple(x.shape[:-1]))
        first = x.movedim(batch_dim, 0)
        rows = (first.shape[0], *[1] * (x.dim() - 2))
        return self.noisy(first, weight, bias, rows).movedim(0, batch_dim)

    def reset_parameters(self) -> None:
        """Draw the weights again, and what the layer holds beside them."""
        super().reset_parameters()
        if all(name in self._parameters or name in self._buffers for name in self.own):
            self.reset_own()

    def reset_own(self) -> None:
        """Fill what `own` names with what a training starts from."""
        return

    def settle(self) -> None:
        """Make what `own` names where the weights lie, and fill it."""
        weight = next(parameter for name, parameter in self.named_parameters() if name not in self.own)
        for name in self.own:
            if name in self._parameters:
                made = torch.empty_like(self.get_parameter(name), device=weight.device, dtype=at_least_single(weight))
                self._parameters[name] = nn.Parameter(made)
            else:
                self._buffers[name] = torch.empty_like(self.get_buffer(name), device=weight.device)
        self.reset_own()


class RatelessLinear(NoisyLinear):
    """A layer whose noise has no drop rate, or learns it. `drop_rate` is nan where it is unknown."""

    why: ClassVar[str]  # the rate cannot be set

    @property
    def drop_rate(self) -> float:
        """The drop rate as it is; raises ValueError where it is set."""
        return math.nan

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        raise ValueError(f"{self.why}: its drop rate cannot be set, got {rate}")


class NoisyLayer(Regularizer):
    """A regularizer whose layer is a `NoisyLinear`."""

    noise = None

    def made_for(self, linear: nn.Linear, settings: Regularization, generator: torch.Generator | None) -> nn.Linear:
        made = super().made_for(linear, settings, generator)
        assert isinstance(made, NoisyLinear)
        made.shares_positions = made.shares_positions or isinstance(linear, SharedNoiseLinear)
        made.batch_dim = settings.batch_dim or 0
        return made

    def settle(self, layer: nn.Linear) -> None:
        assert isinstance(layer, NoisyLinear)
        layer.settle()

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        assert isinstance(layer, NoisyLinear)
        layer.drop_rate = rate


def at_least_single(like: Tensor) -> torch.dtype:
    """The type of numbers that half precision cannot hold, such as squares and logarithms."""
    return torch.promote_types(like.dtype, torch.float32)


def check_number(name: str, value: float, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """The number; raises ValueError unless it is finite, at least `least` and above `above`."""
    if isinstance(value, int | float) and math.isfinite(value) and value >= least and value > above:
        return float(value)
    rules = [f"at least {least:g}"] * (least > -math.inf) + [f"above {above:g}"] * (above > -math.inf)
    raise ValueError(f"{name} must be {' and '.join(['finite', *rules])}, got {value!r}")
