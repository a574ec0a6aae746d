"""The product with a stirred weight as a torch operator: it keeps no mask, and draws its factors again in backward.

p(x, W)_btj = sum_i x_bti m_bji W_ji is linear in x and in W, and so are its gradients: with T(x, W, g) = <g, p(x, W)>
every derivative of any order is one of the two operators again, at the same factors m.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from pernodedrop.backends.factors import chained, from_tensor, quantized

OPERATOR = "pernodedrop::stirred_product"


def stirred_product(x: Tensor, weight: Tensor, seed: Tensor, factors: Tensor) -> Tensor:
    """sum_i x_bti m_bji W_ji with the factors m that `drawn` gives, or m_btji with those of `drawn_over_time`.

    x (B, T, I) and weight (J, I) give (B, T, J); equal seeds (one int64) and shapes give equal factors.
    """
    if torch.compiler.is_compiling():
        product: Tensor = _product(x, weight, seed, factors)
    else:
        product = _apply(_Product, x, weight, seed, factors)
    return product


def drawn(probability: float, *, normal: bool = False) -> tuple[Tensor, float | Tensor]:
    """`quantized` factors as the operators take them, and the probability that they meet.

    In a compiled model both are computed in the graph, so that another drop rate needs no other graph.
    """
    if torch.compiler.is_compiling():
        factors = _quantized(probability * torch.ones((), dtype=torch.float64, device="cpu"), normal)
        return factors, factors[0] / 2.0 ** factors[1].double()
    numbers = quantized(probability, normal=normal)
    return numbers.as_tensor(), numbers.probability


def drawn_over_time(probability: float, correlation: float, rows: int) -> tuple[Tensor, float | Tensor]:
    """The same for factors that change over time, `rows` rows of a sample at each position: see `factors.chained`."""
    if torch.compiler.is_compiling():
        factors = _chained(probability * torch.ones((), dtype=torch.float64, device="cpu"), correlation, rows)
        return factors, factors[0] / 2.0 ** factors[1].double()
    chain = chained(probability, correlation, rows)
    return chain.as_tensor(), chain.probability


@torch.library.custom_op("pernodedrop::chained", mutates_args=(), device_types="cpu")
def _chained(probability: Tensor, correlation: float, rows: int) -> Tensor:
    return chained(float(probability), correlation, rows).as_tensor()


@_chained.register_fake
def _chained_shape(probability: Tensor, correlation: float, rows: int) -> Tensor:
    return probability.new_empty(8, dtype=torch.int64)


@torch.library.custom_op("pernodedrop::quantized", mutates_args=(), device_types="cpu")
def _quantized(probability: Tensor, normal: bool) -> Tensor:
    return quantized(float(probability), normal=normal).as_tensor()


@_quantized.register_fake
def _quantized_shape(probability: Tensor, normal: bool) -> Tensor:
    return probability.new_empty(3, dtype=torch.int64)


@torch.library.custom_op(OPERATOR, mutates_args=(), device_types="cpu")
def _product(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
    return _on_cpu(x, weight, seed, law)


def _on_cpu(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
    from pernodedrop.backends import cpu  # numba is imported when a kernel runs

    return cpu.product(x, weight, seed, from_tensor(law))


@torch.library.custom_op(f"{OPERATOR}_gradients", mutates_args=(), device_types="cpu")
def _gradients(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
    return _gradients_on_cpu(grad, x, weight, seed, law)


def _gradients_on_cpu(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
    from pernodedrop.backends import cpu

    return cpu.gradients(grad, x, weight, seed, from_tensor(law))


@_product.register_kernel("cuda")
def _product_on_gpu(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
    from pernodedrop.backends import gpu  # triton is imported when a kernel runs

    return gpu.product(x, weight, seed, from_tensor(law))


@_gradients.register_kernel("cuda")
def _gradients_on_gpu(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
    from pernodedrop.backends import gpu

    return gpu.gradients(grad, x, weight, seed, from_tensor(law))


@_product.register_fake
def _product_shape(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:2], weight.shape[0]))


@_gradients.register_fake
def _gradients_shape(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), weight.new_empty(weight.shape)


def _save_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate_product(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, seed, law = ctx.saved_tensors
    grad_x, grad_weight = _gradients(grad, x, weight, seed, law)
    return grad_x, grad_weight, None, None


def _save_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate_gradients(ctx: Any, u: Tensor, v: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of T(u, W, g) + T(x, V, g) = <u, grad_x> + <V, grad_weight> in g, x and W."""
    grad, x, weight, seed, law = ctx.saved_tensors
    of_grad = _product(u, weight, seed, law) + _product(x, v, seed, law)
    of_x, of_weight = _gradients(grad, u, v, seed, law)
    return of_grad, of_x, of_weight, None, None


_product.register_autograd(_differentiate_product, setup_context=_save_product)
_gradients.register_autograd(_differentiate_gradients, setup_context=_save_gradients)


class _Product(torch.autograd.Function):
    """`_product` outside compiled models: with a forward-mode derivative, and mapped by `torch.func.vmap`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
        product: Tensor = _on_cpu(x, weight, seed, law) if _is_plain(x, weight) else _product(x, weight, seed, law)
        return product

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, seed, law = ctx.saved_tensors
        grad_x, grad_weight = _apply(_Gradients, grad, x, weight, seed, law)
        return grad_x, grad_weight, None, None

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, *_: None) -> Tensor:
        x, weight, seed, law = ctx.saved_tensors
        along_x = None if of_x is None else _apply(_Product, of_x, weight, seed, law)
        along_weight = None if of_weight is None else _apply(_Product, x, of_weight, seed, law)
        return _sum(along_x, along_weight)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        (stacked,) = _mapped(lambda *each: (_apply(_Product, *each),), info.batch_size, in_dims, inputs)
        return stacked, 0


class _Gradients(torch.autograd.Function):
    """`_gradients` in the same way."""

    @staticmethod
    def forward(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
        run = _gradients_on_cpu if _is_plain(grad, x, weight) else _gradients
        gradients: tuple[Tensor, Tensor] = run(grad, x, weight, seed, law)
        return gradients

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, u: Tensor, v: Tensor) -> tuple[Tensor | None, ...]:
        grad, x, weight, seed, law = ctx.saved_tensors
        of_grad = _apply(_Product, u, weight, seed, law) + _apply(_Product, x, v, seed, law)
        of_x, of_weight = _apply(_Gradients, grad, u, v, seed, law)
        return of_grad, of_x, of_weight, None, None

    @staticmethod
    def jvp(
        ctx: Any, of_grad: Tensor | None, of_x: Tensor | None, of_weight: Tensor | None, *_: None
    ) -> tuple[Tensor, Tensor]:
        """grad_x is linear in grad and the weight, grad_weight in grad and x."""
        grad, x, weight, seed, law = ctx.saved_tensors
        along = [] if of_grad is None else [_apply(_Gradients, of_grad, x, weight, seed, law)]
        of_x = torch.zeros_like(x) if of_x is None else of_x
        of_weight = torch.zeros_like(weight) if of_weight is None else of_weight
        along.append(_apply(_Gradients, grad, of_x, of_weight, seed, law))
        return _sum(*(each[0] for each in along)), _sum(*(each[1] for each in along))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        return _mapped(partial(_apply, _Gradients), info.batch_size, in_dims, inputs), (0, 0)


def _apply(function: type[torch.autograd.Function], *inputs: Tensor) -> Any:
    """The function of its inputs, by the shortest way: torch's own takes as long as a small layer.

    Outside transforms of torch.func, `apply` binds the arguments to their names and unwraps those of transforms that
    have ended, which count as plain tensors here too. Nothing but the values is wanted where no derivative is recorded.
    """
    if torch._C._are_functorch_transforms_active():
        return function.apply(*inputs)  # type: ignore[no-untyped-call]
    if torch.is_grad_enabled() or forward_ad._current_level >= 0:
        return super(torch.autograd.Function, function).apply(*inputs)  # type: ignore[misc]
    return function.forward(*inputs)


def _is_plain(*tensors: Tensor) -> bool:
    """Return whether the CPU's kernel may run at once: the operators' dispatch costs as much as a small layer."""
    if torch._C._len_torch_dispatch_stack():
        return False
    return all(type(each) in (Tensor, torch.nn.Parameter) and each.device.type == "cpu" for each in tensors)


def _sum(*terms: Tensor | None) -> Tensor:
    given = [term for term in terms if term is not None]
    return given[0] if len(given) == 1 else given[0] + given[1]


def _mapped(
    call: Callable[..., tuple[Tensor, ...]], size: int, in_dims: tuple[int | None, ...], inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The call for one entry of the mapped axis after the other, each by its own seed; stacked along axis 0."""
    chosen = [
        call(*(each if dim is None else each.select(dim, at) for each, dim in zip(inputs, in_dims, strict=True)))
        for at in range(max(size, 1))
    ]
    return tuple(torch.stack(outputs)[:size] for outputs in zip(*chosen, strict=True))
