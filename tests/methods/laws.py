"""A noisy layer beside its written formula: the same numbers drawn, the same values, the same gradients."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

SEED = 7


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def assert_formula(layer: nn.Linear, formula: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor) -> None:
    """layer(x) and the gradients of its square in x and all parameters are those of formula(x, weight, bias)."""

    def found(call: Callable[[Tensor, nn.Linear], Tensor]) -> list[Tensor]:
        inputs, used = x.clone().requires_grad_(), copy.copy(layer)
        used.generator = seeded()
        used.zero_grad()
        y = call(inputs, used)
        y.square().sum().backward()
        return [y.detach(), inputs.grad, *(parameter.grad.clone() for parameter in layer.parameters())]

    theirs = found(lambda inputs, used: formula(inputs, used.weight, used.bias))
    for mine, expected in zip(found(lambda inputs, used: used(inputs)), theirs, strict=True):
        torch.testing.assert_close(mine, expected)


def draws_of(layer: nn.Module, x: Tensor, count: int) -> Tensor:
    """`count` draws of the outputs (count, J) for one x (I,), each of a sample of its own."""
    with torch.no_grad():
        return layer(x.expand(count, -1))


def exact_divergence(log_alpha: Tensor, terms: int = 4000) -> Tensor:
    """KL(N(w, alpha w^2) || the log-uniform prior), 0 at infinite alpha, by E log e^2 of a noncentral chi square.

    e ~ N(1, alpha): E log e^2 = log 2 alpha + sum_k Poisson(k; 1 / (2 alpha)) digamma(1/2 + k).
    """
    rate = 0.5 * torch.exp(-log_alpha.double()).unsqueeze(-1)
    k = torch.arange(terms, dtype=torch.float64)
    chances = (k * rate.log() - rate - torch.lgamma(k + 1)).exp()
    assert bool((chances.sum(-1) > 1 - 1e-9).all())
    mean = (chances * torch.digamma(k + 0.5)).sum(-1)
    return 0.5 * (mean - (math.log(1 / 4) - 0.5772156649015329))  # digamma(1/2)
