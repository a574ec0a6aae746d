"""The product with a stirred weight as a torch operator: it keeps no mask, and draws its factors again in backward.

p(x, W)_btj = sum_i x_bti m_bji W_ji is linear in x and in W, and so are its gradients: with T(x, W, g) = <g, p(x, W)>
every derivative of any order is one of the two operators again, at the same factors m.
"""

from typing import Any

import torch
from torch import Tensor

from pernodedrop.backends.factors import Factors

OPERATOR = "pernodedrop::stirred_product"


def stirred_product(x: Tensor, weight: Tensor, seed: Tensor, factors: Factors) -> Tensor:
    """sum_i x_bti m_bji W_ji with the factors m.

    x (B, T, I) and weight (J, I) give (B, T, J); equal seeds (one int64) and shapes give equal factors.
    """
    product: Tensor = _product(x, weight, seed, factors.as_ints())
    return product


@torch.library.custom_op(OPERATOR, mutates_args=(), device_types="cpu")
def _product(x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> Tensor:
    from pernodedrop.backends import cpu  # numba is imported when a kernel runs

    return cpu.product(x, weight, seed, Factors.from_ints(law))


@torch.library.custom_op(f"{OPERATOR}_gradients", mutates_args=(), device_types="cpu")
def _gradients(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> tuple[Tensor, Tensor]:
    from pernodedrop.backends import cpu

    return cpu.gradients(grad, x, weight, seed, Factors.from_ints(law))


@_product.register_kernel("cuda")
def _product_on_gpu(x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> Tensor:
    from pernodedrop.backends import gpu  # triton is imported when a kernel runs

    return gpu.product(x, weight, seed, Factors.from_ints(law))


@_gradients.register_kernel("cuda")
def _gradients_on_gpu(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> tuple[Tensor, Tensor]:
    from pernodedrop.backends import gpu

    return gpu.gradients(grad, x, weight, seed, Factors.from_ints(law))


@_product.register_fake
def _product_shape(x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> Tensor:
    return x.new_empty((*x.shape[:2], weight.shape[0]))


@_gradients.register_fake
def _gradients_shape(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), weight.new_empty(weight.shape)


def _save_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, seed, ctx.law = inputs
    ctx.save_for_backward(x, weight, seed)


def _differentiate_product(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, seed = ctx.saved_tensors
    grad_x, grad_weight = _gradients(grad, x, weight, seed, ctx.law)
    return grad_x, grad_weight, None, None


def _save_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    grad, x, weight, seed, ctx.law = inputs
    ctx.save_for_backward(grad, x, weight, seed)


def _differentiate_gradients(ctx: Any, u: Tensor, v: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of T(u, W, g) + T(x, V, g) = <u, grad_x> + <V, grad_weight> in g, x and W."""
    grad, x, weight, seed = ctx.saved_tensors
    of_grad = _product(u, weight, seed, ctx.law) + _product(x, v, seed, ctx.law)
    of_x, of_weight = _gradients(grad, u, v, seed, ctx.law)
    return of_grad, of_x, of_weight, None, None


_product.register_autograd(_differentiate_product, setup_context=_save_product)
_gradients.register_autograd(_differentiate_gradients, setup_context=_save_gradients)
