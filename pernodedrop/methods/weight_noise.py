"""Gaussian noise on every weight, of a strength that is learned: what both kinds of variational dropout share."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.gaussian_product import squared_product, with_deviation
from pernodedrop.methods.noisy_linear import RatelessLinear, at_least_single
from pernodedrop.objectives import Objective, Step


class WeightNoiseLinear(RatelessLinear):
    """y ~ N(x W + b, sum_i alpha_ji x_i^2 W_ji^2), independent over samples, positions and units.

    Where positions share their sample's noise, W_ji (1 + sqrt(alpha_ji) n_bji) is drawn for every sample instead,
    which takes B * J * I numbers.
    """

    def log_alpha_of(self, weight: Tensor) -> Tensor:
        """log alpha, in single precision at least, of a shape that broadcasts to that of the weight (J, I)."""
        raise NotImplementedError

    def divergence(self) -> Tensor:
        """The Kullback-Leibler divergence of the layer's weights from their prior, a scalar in nats."""
        raise NotImplementedError

    def noisy(self, x: Tensor, weight: Tensor, bias: Tensor | None, rows: tuple[int, ...]) -> Tensor:
        mean = nn.functional.linear(x, weight, bias)
        wide = weight.to(at_least_single(weight))
        deviation = wide * (0.5 * self.log_alpha_of(weight)).exp()
        if rows == x.shape[:-1]:
            return with_deviation(mean, squared_product(x.to(deviation.dtype), deviation), 1.0, self.generator)
        samples = rows[0]
        shape = (samples, *weight.shape)
        drawn = deviation * draws.normal(shape, self.generator, dtype=deviation.dtype, device=x.device)
        noise = torch.bmm(x.reshape(samples, -1, x.shape[-1]), drawn.to(x.dtype).transpose(1, 2))
        return mean + noise.reshape(mean.shape).to(mean.dtype)

    @property
    def drop_rate(self) -> float:
        """alpha / (1 + alpha), the mean over the weights, as it is; raises ValueError where it is set."""
        with torch.no_grad():
            return self.log_alpha_of(self.weight).sigmoid().mean().item()

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        raise ValueError(f"{self.why}: its drop rate cannot be set, got {rate}")


def with_divergence(layers: Sequence[nn.Linear], weight: Callable[[float], float]) -> Objective:
    """The mean loss of a noisy pass + the layers' divergence / N, times a weight at the share of the steps done."""
    held = [layer for layer in dict.fromkeys(layers) if isinstance(layer, WeightNoiseLinear)]

    def bound(step: Step) -> Tensor:
        loss = step.loss(step.forward())
        for layer in held:
            loss = loss + weight(step.done) / step.samples * layer.divergence()
        return loss

    return bound
