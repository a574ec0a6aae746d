"""Many small networks trained as one: their weights stacked, one batch for all, an Adam of their own each."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.gpu.steps import Outcome

_BETAS = (0.9, 0.999)  # torch's own, as is the next
_EPSILON = 1e-8


class BatchedStep:
    """A training step of all networks at once; each has its own drop rate in front of its slot, and learning rate.

    `logits` are (networks, batch, classes), losses (networks,).
    """

    def __init__(self, networks: Sequence[nn.Sequential], drop_rates: Tensor, learning_rates: Tensor) -> None:
        self._outline = _Dropped(deepcopy(networks[0]).to("meta"))
        stacked, _ = stack_module_state(list(networks))
        self._weights = {f"network.{name}": weight.detach().requires_grad_() for name, weight in stacked.items()}
        self._drop_rates, self._learning_rates = drop_rates, learning_rates
        self.weights = list(self._weights.values())
        self._adam = _Adam(self.weights, learning_rates)

    def __call__(self, x: Tensor, y: Tensor) -> Outcome:
        logits = self.logits(x)
        networks, samples, classes = logits.shape
        losses = nn.functional.cross_entropy(
            logits.reshape(networks * samples, classes), y.repeat(networks), reduction="none"
        )
        loss = losses.reshape(networks, samples).mean(1)
        # A network's weights meet its own loss alone: the sum's gradient is each one's own.
        self._adam.step(torch.autograd.grad(loss.sum(), self.weights))
        return Outcome(logits.detach(), loss.detach())

    def logits(self, x: Tensor) -> Tensor:
        """Of all networks in training, each with masks of its own."""

        def one(weights: Mapping[str, Tensor], drop_rate: Tensor) -> Tensor:
            found: Tensor = functional_call(self._outline, dict(weights), (x, drop_rate))
            return found

        found: Tensor = vmap(one, randomness="different")(self._weights, self._drop_rates)
        return found

    def averages(self) -> Iterable[Tensor]:
        return self._adam.averages()


class _Dropped(nn.Module):
    """A network with dropout in front of its slot, whose rate is a tensor."""

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, drop_rate: Tensor) -> Tensor:
        for name, part in self.network.named_children():
            x = part(_dropout(x, drop_rate) if name == "slot" else x)
        return x


def _dropout(x: Tensor, rate: Tensor) -> Tensor:
    return x * (torch.rand_like(x) >= rate) / (1.0 - rate)


class _Adam:
    """torch's Adam for stacked weights (networks, ...) and as many learning rates (networks,)."""

    def __init__(self, weights: Sequence[Tensor], learning_rates: Tensor) -> None:
        self._weights = weights
        self._rates = [learning_rates.reshape(-1, *[1] * (weight.dim() - 1)) for weight in weights]
        self._mean = [torch.zeros_like(weight) for weight in weights]
        self._square = [torch.zeros_like(weight) for weight in weights]
        # On the device, where a recorded step counts it; in double precision, which 0.999^n asks for.
        self._steps = torch.zeros((), dtype=torch.float64, device=learning_rates.device)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """One step down the gradients."""
        self._steps += 1.0
        first, second = (1.0 - beta**self._steps for beta in _BETAS)
        for weight, rate, mean, square, gradient in zip(
            self._weights, self._rates, self._mean, self._square, gradients, strict=True
        ):
            mean.lerp_(gradient, 1.0 - _BETAS[0])
            square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1.0 - _BETAS[1])
            deviation = (square / second).sqrt_().add_(_EPSILON)
            weight.sub_(rate / first * mean / deviation)

    def averages(self) -> Iterable[Tensor]:
        return [self._steps, *self._mean, *self._square]
