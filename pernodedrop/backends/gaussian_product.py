"""Gaussian noise on a product's outputs, in the law that Gaussian noise on its connections has.

A training has it as one function for autograd. Operation by operation, each square of an input or a weight has three
passes over memory in backward, and the sum with the mean's gradient a fourth; the function writes a gradient once and
adds to it once, and a model's first layer computes none of its input.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from pernodedrop import autocast, draws
from pernodedrop.backends.drawn import Drawn
from pernodedrop.backends.stirred_product import gradients_of, is_plain, stirred_product


class Noise(NamedTuple):
    """The variance s^2 of a connection's noise, normal numbers eps (B, J), and which connections are noisy."""

    variance: float
    eps: Tensor
    chosen: tuple[Tensor, Drawn] | None = None  # the seed and the factors of `stirred_product`; None: all


def gaussian_product(x: Tensor, weight: Tensor, bias: Tensor | None, noise: Noise) -> Tensor:
    """x W^T + b + sqrt(s^2 v) eps with v_bj = sum_i z_bji x_bi^2 W_ji^2, for x (B, I), weight (J, I) and bias (J,).

    The gradient is 0 where v is 0 (zero rows), not infinite.
    """
    if _is_fused(x, weight, noise.eps):
        fused: Tensor = _Fused.apply(x, weight, bias, noise)  # type: ignore[no-untyped-call]
        return fused
    return _by_operations(x, weight, bias, noise)


def with_deviation(mean: Tensor, square: Tensor, variance: float, generator: torch.Generator | None) -> Tensor:
    """mean + sqrt(variance * square) eps; the gradient is 0 where square is 0 (zero rows), not infinite."""
    eps = draws.normal(mean.shape, generator, dtype=mean.dtype, device=mean.device)
    return _deviated(mean, square, variance, eps)


def squarable(tensor: Tensor) -> Tensor:
    """The tensor in single precision where it is in half: there the square of 300 is infinite and that of 1e-4 is 0."""
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def squared_product(x: Tensor, weight: Tensor) -> Tensor:
    """(x * x)(W * W)^T for x (..., I) and weight (J, I), in a type that holds squares."""
    x, weight = squarable(x), squarable(weight)
    with uncast(x):
        return nn.functional.linear(x * x, weight * weight)


def uncast(x: Tensor) -> AbstractContextManager[object]:
    """In it autocast leaves x alone; it would cast single precision, which `squarable` has chosen, to half."""
    return autocast.off(x) if x.dtype == torch.float32 else nullcontext()


def _deviated(mean: Tensor, square: Tensor, variance: float, eps: Tensor) -> Tensor:
    positive = square > 0
    deviation = torch.sqrt(variance * torch.where(positive, square, 1.0))
    return mean + eps * torch.where(positive, deviation, 0.0).to(mean.dtype)


def _by_operations(x: Tensor, weight: Tensor, bias: Tensor | None, noise: Noise) -> Tensor:
    if noise.chosen is None:
        square = squared_product(x, weight)
    else:
        a, b = squarable(x), squarable(weight)
        square = stirred_product(a * a, b * b, *noise.chosen)
    return _deviated(nn.functional.linear(x, weight, bias), square, noise.variance, noise.eps)


def _is_fused(x: Tensor, weight: Tensor, eps: Tensor) -> bool:
    is_traced = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    if is_traced or torch._C._are_functorch_transforms_active():
        return False
    if not torch.is_grad_enabled() or forward_ad._current_level >= 0 or autocast.is_on(x):
        return False
    return x.dtype in (torch.float32, torch.float64) and is_plain(x, weight, eps)


class _Fused(torch.autograd.Function):
    """`_by_operations`, whose first derivatives take less; the others are those of the operations.

    The squares are made again in backward, not kept: they are as large as their factors.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, noise: Noise) -> Tensor:
        squares = x * x, weight * weight
        square = nn.functional.linear(*squares) if noise.chosen is None else stirred_product(*squares, *noise.chosen)
        # In place, since small layers wait for each call. A square beyond the type, times 0, is nan, and counts as 0.
        deviation = square.mul_(noise.variance).sqrt_().nan_to_num_(0.0, math.inf)
        seed, ctx.factors = (None, None) if noise.chosen is None else noise.chosen
        ctx.save_for_backward(x, weight, noise.eps, deviation, seed)
        ctx.variance = noise.variance
        return (noise.eps * deviation).add_(nn.functional.linear(x, weight, bias))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, eps, deviation, seed = ctx.saved_tensors
        chosen = None if seed is None else (seed, ctx.factors)
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        with autocast.off(x):  # as in forward
            if torch.is_grad_enabled():  # it is differentiated again
                found = _differentiable(grad, (x, weight), Noise(ctx.variance, eps, chosen), (of_x, of_weight))
            else:
                of_square = (grad * eps).mul_(ctx.variance).div_(deviation).masked_fill_(deviation == 0.0, 0.0)
                found = _gradients(grad, of_square, (x, weight), chosen, (of_x, of_weight))
            return *found, grad.sum(0) if of_bias else None, None


def _gradients(
    grad: Tensor,
    of_square: Tensor,
    inputs: tuple[Tensor, Tensor],
    chosen: tuple[Tensor, Drawn] | None,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients in x and weight by those of the output and, twice, of the sum of squares."""
    x, weight = inputs
    grad_x: Tensor | None = None
    grad_weight: Tensor | None = None
    if chosen is not None:
        grad_x, grad_weight = gradients_of(of_square, x * x, weight * weight, *chosen, of_x=wanted[0])
    if wanted[0]:
        grad_x = of_square @ (weight * weight) if grad_x is None else grad_x
        grad_x.mul_(x).addmm_(grad, weight)
    if wanted[1]:
        grad_weight = of_square.t() @ (x * x) if grad_weight is None else grad_weight
        grad_weight.mul_(weight).addmm_(grad.t(), x)
    return grad_x if wanted[0] else None, grad_weight if wanted[1] else None


def _differentiable(
    grad: Tensor, inputs: tuple[Tensor, Tensor], noise: Noise, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients in x and weight as operations, whose derivatives torch knows."""
    own = [each.view_as(each) for each in inputs]  # not through what one input depends on another by, and no hook twice
    y = _by_operations(own[0], own[1], None, noise)
    asked = [each for each, is_wanted in zip(own, wanted, strict=True) if is_wanted]
    found = iter(torch.autograd.grad(y, asked, grad, create_graph=True) if asked else ())
    return next(found) if wanted[0] else None, next(found) if wanted[1] else None
