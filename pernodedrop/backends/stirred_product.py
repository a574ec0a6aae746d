"""The product with a stirred weight as a torch operator: it keeps no mask, and draws its factors again in backward.

p(x, W)_btj = sum_i x_bti m_bji W_ji is linear in x and in W, and so are its gradients: with T(x, W, g) = <g, p(x, W)>
every derivative of any order is one of the two operators again, at the same factors m.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from pernodedrop.backends.drawn import Drawn
from pernodedrop.backends.factors import Chain, Factors, from_tensor
from pernodedrop.compiling import constant

OPERATOR = "pernodedrop::stirred_product"
_NOT_IN_ONNX = (
    "ONNX has no operator that draws a kernel's masks: export the model in evaluation mode, which is dense, or with "
    "backend 'mask', whose graph draws them"
)


class Divided(NamedTuple):
    """Factors, each divided by one number."""

    factors: Factors | Chain
    divisor: float = 1.0


def stirred_product(
    x: Tensor, weight: Tensor, seed: Tensor, drawn: Drawn, *, divisor: float | Tensor = 1.0, bias: Tensor | None = None
) -> Tensor:
    """sum_i x_bti m_bji W_ji / divisor + bias_j, with the factors m that `drawn` gives, or m_btji with those of
    `drawn_over_time`.

    x (B, T, I), or (B, I) where T is 1, and weight (J, I) give (B, T, J) or (B, J); bias is (J,). Equal seeds (one
    int64) and shapes give equal factors.
    """
    if (torch.compiler.is_exporting() or _is_traced()) and _goes_into_onnx():
        raise RuntimeError(_NOT_IN_ONNX)
    if isinstance(drawn, Tensor):
        return _in_parts(x, weight, seed, drawn, divisor=divisor, bias=bias)
    product: Tensor = _apply(_Product, x, weight, bias, seed, Divided(drawn, float(divisor)))
    return product


def gradients_of(
    grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, drawn: Drawn, *, of_x: bool
) -> tuple[Tensor | None, Tensor]:
    """The gradients of `stirred_product` in x, which may be None where not `of_x`, and in the weight."""
    assert not isinstance(drawn, Tensor)  # a compiled model's graph has its own
    return _gradients_of(grad, x, weight, seed, Divided(drawn), of_x=of_x)


@torch.library.custom_op(OPERATOR, mutates_args=(), device_types="cpu")
def _product(x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> Tensor:
    return _on_cpu(x, weight, None, seed, Divided(from_tensor(law)))


def _on_cpu(x: Tensor, weight: Tensor, bias: Tensor | None, seed: Tensor, noise: Divided) -> Tensor:
    from pernodedrop.backends import cpu  # numba is imported when a kernel runs

    return cpu.product(x, weight, seed, noise.factors, noise.divisor, bias)


@torch.library.custom_op(f"{OPERATOR}_gradients", mutates_args=(), device_types="cpu")
def _gradients(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
    return _gradients_on_cpu(grad, x, weight, seed, Divided(from_tensor(law)))


def _gradients_on_cpu(
    grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, noise: Divided, *, of_x: bool = True
) -> tuple[Any, Tensor]:
    from pernodedrop.backends import cpu

    return cpu.gradients(grad, x, weight, seed, noise.factors, noise.divisor, of_x=of_x)


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


def _gradients_of(
    grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, noise: Divided, *, of_x: bool
) -> tuple[Tensor | None, Tensor]:
    is_last = not torch.is_grad_enabled() and forward_ad._current_level < 0  # nobody differentiates it again
    if not of_x and is_last and not torch._C._are_functorch_transforms_active() and _runs_at_once(grad, x, weight):
        return _gradients_on_cpu(grad, x, weight, seed, noise, of_x=False)
    both: tuple[Tensor, Tensor] = _apply(_Gradients, grad, x, weight, seed, noise)
    return both


class _Product(torch.autograd.Function):
    """The product outside compiled models: with a forward-mode derivative, and mapped by `torch.func.vmap`.

    The divisor and the bias are within it: each operation of torch's by itself takes as long as a small layer.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, seed: Tensor, noise: Divided) -> Tensor:
        if _runs_at_once(x, weight, weight if bias is None else bias):
            return _on_cpu(x, weight, bias, seed, noise)
        return _in_parts(x, weight, seed, noise.factors.as_tensor(), divisor=noise.divisor, bias=bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, seed, ctx.noise = inputs
        ctx.save_for_backward(x, weight, seed)
        ctx.save_for_forward(x, weight, seed)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, seed = ctx.saved_tensors
        grad_x, grad_weight = _gradients_of(grad, x, weight, seed, ctx.noise, of_x=ctx.needs_input_grad[0])
        grad_bias = grad.sum(tuple(range(grad.dim() - 1))) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None, None

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, of_bias: Tensor | None, *_: None) -> Tensor:
        x, weight, seed = ctx.saved_tensors
        along_x = None if of_x is None else _apply(_Product, of_x, weight, None, seed, ctx.noise)
        along_weight = None if of_weight is None else _apply(_Product, x, of_weight, None, seed, ctx.noise)
        if of_bias is not None:
            of_bias = of_bias.expand(*x.shape[:-1], of_bias.shape[0])
        return _sum(along_x, along_weight, of_bias)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        (stacked,) = _mapped(lambda *each: (_apply(_Product, *each),), info.batch_size, in_dims, inputs)
        return stacked, 0


class _Gradients(torch.autograd.Function):
    """The gradients of the product in x and weight in the same way."""

    @staticmethod
    def forward(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, noise: Divided) -> tuple[Tensor, Tensor]:
        if _runs_at_once(grad, x, weight):
            return _gradients_on_cpu(grad, x, weight, seed, noise)
        grad = grad if noise.divisor == 1.0 else grad / noise.divisor
        rows = (grad, x) if x.dim() == 3 else (grad.unsqueeze(1), x.unsqueeze(1))
        grad_x, grad_weight = _gradients(*rows, weight, seed, noise.factors.as_tensor())
        return (grad_x if x.dim() == 3 else grad_x.squeeze(1)), grad_weight

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        *tensors, ctx.noise = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, u: Tensor, v: Tensor) -> tuple[Tensor | None, ...]:
        grad, x, weight, seed = ctx.saved_tensors
        drawn = seed, ctx.noise
        of_grad = _apply(_Product, u, weight, None, *drawn) + _apply(_Product, x, v, None, *drawn)
        of_x, of_weight = _apply(_Gradients, grad, u, v, *drawn)
        return of_grad, of_x, of_weight, None, None

    @staticmethod
    def jvp(
        ctx: Any, of_grad: Tensor | None, of_x: Tensor | None, of_weight: Tensor | None, *_: None
    ) -> tuple[Tensor, Tensor]:
        """grad_x is linear in grad and the weight, grad_weight in grad and x."""
        grad, x, weight, seed = ctx.saved_tensors
        along = [] if of_grad is None else [_apply(_Gradients, of_grad, x, weight, seed, ctx.noise)]
        of_x = torch.zeros_like(x) if of_x is None else of_x
        of_weight = torch.zeros_like(weight) if of_weight is None else of_weight
        along.append(_apply(_Gradients, grad, of_x, of_weight, seed, ctx.noise))
        return _sum(*(each[0] for each in along)), _sum(*(each[1] for each in along))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        return _mapped(partial(_apply, _Gradients), info.batch_size, in_dims, inputs), (0, 0)


def _in_parts(
    x: Tensor, weight: Tensor, seed: Tensor, law: Tensor, *, divisor: float | Tensor, bias: Tensor | None
) -> Tensor:
    """`stirred_product` by the operator, whose x has positions."""
    product: Tensor = _product(x if x.dim() == 3 else x.unsqueeze(1), weight, seed, law)
    product = product if x.dim() == 3 else product.squeeze(1)
    if isinstance(divisor, Tensor) or divisor != 1.0:
        product = product / divisor
    return product if bias is None else product + bias


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> Any:
    """The function of its inputs, by the shortest way: torch's own takes as long as a small layer.

    Outside transforms of torch.func, `apply` binds the arguments to their names and unwraps those of transforms that
    have ended, which count as plain tensors here too. Nothing but the values is wanted where no derivative is recorded.
    """
    if torch._C._are_functorch_transforms_active():
        return function.apply(*inputs)  # type: ignore[no-untyped-call]
    if torch.is_grad_enabled() or forward_ad._current_level >= 0 or _is_traced():
        return super(torch.autograd.Function, function).apply(*inputs)  # type: ignore[misc]
    return function.forward(*inputs)


def _is_traced() -> bool:
    """Whether torch.jit traces this call: it would keep its values, were they all that is returned."""
    return torch._C._get_tracing_state() is not None


@constant
def _goes_into_onnx() -> bool:
    """As torch's own function, which torch's compiler takes for False."""
    return torch.onnx.is_in_onnx_export()


def is_plain(*tensors: Tensor) -> bool:
    """Return whether all are torch's own tensors, and nobody wants to see the operations on them."""
    if torch._C._len_torch_dispatch_stack():
        return False
    return all(type(each) in (Tensor, torch.nn.Parameter) for each in tensors)


def _runs_at_once(*tensors: Tensor) -> bool:
    """Return whether the CPU's kernel may run at once: the operators' dispatch costs as much as a small layer.

    One may be a batch of gradients, of torch.autograd.grad(..., is_grads_batched=True), which only operators map.
    """
    if any(map(torch._C._functorch.is_legacy_batchedtensor, tensors)):
        return False
    return is_plain(*tensors) and all(each.device.type == "cpu" for each in tensors)


def _sum(*terms: Tensor | None) -> Tensor:
    return reduce(torch.add, (term for term in terms if term is not None))


def _mapped(
    call: Callable[..., tuple[Tensor, ...]], size: int, in_dims: tuple[Any, ...], inputs: tuple[Any, ...]
) -> tuple[Tensor, ...]:
    """The call for one entry of the mapped axis after the other, each by its own seed; stacked along axis 0."""

    def entry(at: int) -> list[Any]:
        is_mapped = [isinstance(each, Tensor) and dim is not None for each, dim in zip(inputs, in_dims, strict=True)]
        return [
            each.select(dim, at) if mapped else each
            for each, dim, mapped in zip(inputs, in_dims, is_mapped, strict=True)
        ]

    chosen = [call(*entry(at)) for at in range(max(size, 1))]
    return tuple(torch.stack(outputs)[:size] for outputs in zip(*chosen, strict=True))
