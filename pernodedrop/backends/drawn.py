"""The factors of a law as `stirred_product` takes them: numbers, or in a compiled model what its graph computes."""

import torch
from torch import Tensor

from pernodedrop.backends.factors import Chain, Factors, chained, quantized

Drawn = Factors | Chain | Tensor  # the last in a compiled model, as the operators take it


def drawn(probability: float, *, sigma: float = 0.0) -> tuple[Drawn, float | Tensor]:
    """`quantized` factors, and the probability that they meet.

    In a compiled model both are tensors that the graph computes, so that another drop rate needs no other graph.
    """
    if torch.compiler.is_compiling():
        one = torch.ones((), dtype=torch.float64, device="cpu")
        factors = _quantized(probability * one, sigma * one)
        return factors, factors[0] / 2.0 ** factors[1].double()
    numbers = quantized(probability, sigma=sigma)
    return numbers, numbers.probability


def drawn_over_time(probability: float, correlation: float, rows: int) -> tuple[Drawn, float | Tensor]:
    """The same for factors that change over time, `rows` rows of a sample at each position: see `factors.chained`."""
    if torch.compiler.is_compiling():
        factors = _chained(probability * torch.ones((), dtype=torch.float64, device="cpu"), correlation, rows)
        return factors, factors[0] / 2.0 ** factors[1].double()
    chain = chained(probability, correlation, rows)
    return chain, chain.probability


@torch.library.custom_op("pernodedrop::chained", mutates_args=(), device_types="cpu")
def _chained(probability: Tensor, correlation: float, rows: int) -> Tensor:
    return chained(float(probability), correlation, rows).as_tensor()


@_chained.register_fake
def _chained_shape(probability: Tensor, correlation: float, rows: int) -> Tensor:
    return probability.new_empty(8, dtype=torch.int64)


@torch.library.custom_op("pernodedrop::quantized", mutates_args=(), device_types="cpu")
def _quantized(probability: Tensor, sigma: Tensor) -> Tensor:
    return quantized(float(probability), sigma=float(sigma)).as_tensor()


@_quantized.register_fake
def _quantized_shape(probability: Tensor, sigma: Tensor) -> Tensor:
    return probability.new_empty(3, dtype=torch.int64)
