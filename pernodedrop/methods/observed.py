"""Dense layers that draw nothing and let a training step see where noise would enter."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from pernodedrop.laws import check_drop_rate, noise_variance
from pernodedrop.layers.noisy import Drawing, leaf
from pernodedrop.layers.regularizing import Regularizing, must_be_called, own_weight, watched

Place = Literal["inputs", "connections", "weights"]  # of the noise of Dropout, of PerNodeDrop, of DropConnect


@dataclass(frozen=True)
class Noise:
    """The noise for which a layer stands: independent factors of mean 1."""

    on: Place
    variance: float  # s^2 of a factor
    shares_time: bool = False  # one factor for all positions of a sample, in inputs (B, ..., I)
    batch_dim: int = 0
    generator: torch.Generator | None = None


class Call(NamedTuple):
    """What a layer computed in a forward pass: x W^T, and the place in the graph at which the noise would enter."""

    noise: Noise
    x: Tensor  # (..., I)
    weight: Tensor | None  # (J, I), of noise behind the inputs
    edge: GradientEdge  # of x for noise on the inputs, else of the pre-activations (..., J)


class Observation:
    """The calls of the layers that run while a step observes them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def entering(self, noise: Noise, x: Tensor) -> Tensor:
        """The input to multiply, of a layer with noise on the inputs."""
        _check(x)
        x = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()  # other uses of x do not count
        self.calls.append(Call(noise, x, None, get_gradient_edge(x)))
        return x

    def leaving(self, noise: Noise, x: Tensor, weight: Tensor, y: Tensor) -> Tensor:
        """The pre-activations, of a layer with noise behind the inputs."""
        _check(x)
        if not y.requires_grad:  # the layer and all before it are frozen
            y.requires_grad_()
        self.calls.append(Call(noise, x, weight, get_gradient_edge(y)))  # the edge stays where y is changed in place
        return y


def _check(x: Tensor) -> None:
    if x.is_nested:
        raise ValueError("a formula in place of dropout takes no nested tensor: pad it to one dense tensor")
    if not torch.is_grad_enabled():
        raise ValueError(
            "a formula in place of dropout needs the graph of the forward pass, and a layer ran without one: "
            "use torch.utils.checkpoint with use_reentrant=False, and no torch.no_grad around the layer"
        )


class Observed(Drawing, Regularizing, nn.Linear):
    """A dense layer in training and evaluation, which tells an observing step what it computes in training.

    Raises:
        ValueError: drop_rate outside [0, 1).
    """

    observation: Observation | None = None  # within a step

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        on: Place,
        drop_rate: float,
        shares_time: bool = False,
        batch_dim: int = 0,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device)
        self.on, self.drop_rate, self.shares_time, self.batch_dim = on, drop_rate, shares_time, batch_dim
        self.generator = generator
        must_be_called(self)

    @property
    def drop_rate(self) -> float:
        """That of the noise for which the layer stands, in [0, 1); raises ValueError where it is set outside."""
        return self._drop_rate

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        check_drop_rate(rate)
        self._drop_rate = rate

    @property
    def noise(self) -> Noise:
        """The noise for which the layer stands now."""
        return Noise(self.on, noise_variance(self.drop_rate), self.shares_time, self.batch_dim, self.generator)

    @property
    def is_active(self) -> bool:
        return self.training

    @property
    def observer(self) -> Observation | None:
        """Whom to tell; None in evaluation."""
        return self.observation if self.training else None

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, drop_rate={self.drop_rate}"


class ObservedLinear(Observed):
    """`nn.Linear`, observed at its pre-activations."""

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return self.product(input, own_weight(self), self.bias)

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        y = nn.functional.linear(input, weight, bias)
        return y if self.observer is None else self.observer.leaving(self.noise, input, weight, y)


class ObservedInputLinear(Observed):
    """`nn.Linear`, observed at its input."""

    acts_on_input = True

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return super().forward(self._told(input))

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        return nn.functional.linear(self._told(input), weight, bias)

    def _told(self, x: Tensor) -> Tensor:
        return x if self.observer is None else self.observer.entering(self.noise, x)


@contextmanager
def observing(layers: Iterable[nn.Linear]) -> Iterator[list[Call]]:
    """The calls of these layers within the context, in their order; afterwards the layers hold none of them."""
    observation = Observation()
    observed = [layer for layer in dict.fromkeys(layers) if isinstance(layer, Observed)]
    for layer in observed:
        layer.observation = observation
    try:
        yield observation.calls
    finally:
        for layer in observed:
            del layer.observation
