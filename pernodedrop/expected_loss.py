"""The explicit penalty: what multiplicative noise adds to the expected loss, to second order.

With noise delta on the weights of one layer, E L ~ L + 1/2 tr(H Cov(delta)) (PerNodeDrop, arXiv:2512.12663,
equations 7-11). In pre-activations y_b = W x_b with loss Hessian H_b = d^2 L / dy_b dy_b, L the mean over the batch:

    pernodedrop, dropconnect:   1/2 s^2 sum_b sum_ij x_bi^2 W_ji^2 [H_b]_jj
    dropout, gaussian_dropout:  1/2 s^2 sum_b sum_i x_bi^2 W_:i^T H_b W_:i
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.gaussian_product import squarable
from pernodedrop.names import REGULARIZERS
from pernodedrop.regularizers import Regularizer
from pernodedrop.takeover import computes_its_own

Method = Literal["exact", "hutchinson"]


def explicit_penalty(
    model: nn.Module,
    inputs: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    layers: Sequence[nn.Linear],
    regularizer: str,
    variance: float,
    method: Method = "exact",
    samples: int = 1,
    generator: torch.Generator | None = None,
    create_graph: bool = False,
) -> Tensor:
    """The second-order increase of loss(model(inputs)) under noise of variance s^2 = `variance` on the layers.

    `loss` maps the model's output to a scalar whose samples do not interact; each of the layers sees (B, I) once.
    A layer's weight is what its forward multiplies with: a fixed mask of PerNodeDrop counts, pruning too.
    "exact" takes one backward pass per unit, "hutchinson" one per sample of random signs and is unbiased for it.
    The mask's variance is `Stir(drop_rate, ...).variance`. The model runs as it stands, a compiled one uncompiled: put
    it into evaluation mode.
    Its Hessian is autograd's, to which the kink of a ReLU is invisible. So behind a ReLU it is the Gauss-Newton part,
    not the limit of a simulated increase, where kinks count to the same order. Compare it with simulations for smooth
    activations only. There the rest beside the Gauss-Newton part vanishes for labels that follow the model's own
    predictions, and is as large as it for others. The series is in s^2: at s = .4 (a drop rate of .14) the next order
    may be half the penalty.
    Returns a scalar; with `create_graph` it can be minimized itself. As a regularizer it is `explicit`, which takes the
    Gauss-Newton part alone (`pernodedrop.methods.analytic`).

    Raises:
        ValueError: the variant has no such penalty, a method, number or list that is none, a loss that is no scalar of
            the layers, or a layer that did not see one matrix.
    """
    kind: type[Regularizer] = REGULARIZERS.named(regularizer)
    if kind.noise is None:
        covered = ", ".join(name for name, other in REGULARIZERS.items() if other.noise is not None)
        raise ValueError(f"explicit_penalty covers {covered}, got {regularizer!r}")
    _check(layers, variance, method, samples)
    shared = kind.noise == "shared"
    total = squarable(inputs.new_zeros((), dtype=layers[0].weight.dtype))
    watched = _watch(model, inputs, loss, layers)
    with torch.autocast(inputs.device.type, enabled=False):  # which would square in half precision
        for seen in watched:
            if method == "exact":
                total = total + _trace(seen, shared, create_graph)
                continue
            for _ in range(samples):
                signed = _signed(seen, shared, generator)
                total = total + _quadratic_form(seen, signed, create_graph) / samples
    return 0.5 * variance * total


def _check(layers: Sequence[nn.Linear], variance: float, method: str, samples: int) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(f"samples must be an integer of at least 1, got {samples!r}")
    if not 0.0 <= float(variance) < math.inf:
        raise ValueError(f"variance must be finite and at least 0, got {variance}")
    if not layers:
        raise ValueError("layers must hold at least one nn.Linear, got none")
    for place, layer in enumerate(layers):
        if not isinstance(layer, nn.Linear):
            raise ValueError(f"layers must be of nn.Linear, got {type(layer).__name__} at place {place}")
        if computes_its_own(layer):
            raise ValueError(f"layers must compute as nn.Linear, got a {type(layer).__name__} at place {place}")
        if any(layer is other for other in layers[:place]):
            raise ValueError(f"layers must name each layer once, got one again at place {place}")


class _Seen(NamedTuple):
    """The input of one layer, and how the loss depends on a shift of its pre-activations."""

    x: Tensor  # (B, I)
    weight: Tensor  # (J, I)
    shift: Tensor  # (B, J), zeros
    gradient: Tensor  # (B, J), of the loss in the shift

    def hessian_product(self, direction: Tensor, create_graph: bool) -> Tensor:
        """H u for u (B, J); 0 where the loss is linear in the pre-activations."""
        if not self.gradient.requires_grad:
            return torch.zeros_like(direction)
        (product,) = torch.autograd.grad(
            self.gradient,
            self.shift,
            direction,
            retain_graph=True,
            create_graph=create_graph,
            materialize_grads=True,
        )
        return product


def _watch(
    model: nn.Module, inputs: Tensor, loss: Callable[[Tensor], Tensor], layers: Sequence[nn.Linear]
) -> list[_Seen]:
    met: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def shift(layer: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor], output: Tensor) -> Tensor:
        x = args[0] if args else kwargs["input"]
        if output.dim() != 2 or layer in met:
            raise ValueError(f"a penalized layer must see one (B, I) matrix once, got {tuple(x.shape)}")
        met[layer] = x, torch.zeros_like(output, requires_grad=True)
        return output + met[layer][1]

    hooks = [layer.register_forward_hook(shift, with_kwargs=True) for layer in layers]
    try:
        with torch.enable_grad(), torch.compiler.set_stance("force_eager"):  # compiled code has no second derivatives
            value = loss(model(inputs))
    finally:
        for hook in hooks:
            hook.remove()
    if len(met) < len(layers):
        raise ValueError(f"a penalized layer must see one (B, I) matrix once, {len(layers) - len(met)} saw none")
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"loss must return a scalar that depends on the layers by differentiable steps, got {shape}")
    gradients = torch.autograd.grad(
        value, [met[layer][1] for layer in layers], create_graph=True, materialize_grads=True
    )
    return [
        _Seen(met[layer][0].to(squarable(layer.weight).dtype), squarable(_weight(layer)), met[layer][1], gradient)
        for layer, gradient in zip(layers, gradients, strict=True)
    ]


def _weight(layer: nn.Linear) -> Tensor:
    mask = getattr(layer, "mask", None)
    return layer.weight if mask is None else layer.weight * mask


def _trace(seen: _Seen, shared: bool, create_graph: bool) -> Tensor:
    """sum_b tr(H_b C_b), C_b = diag((x_b^2)(W^2)^T) for each unit's own noise, W diag(x_b^2) W^T for shared noise."""
    x, weight, shift, _ = seen
    total = squarable(shift).new_zeros(())
    for unit in range(weight.shape[0]):
        one = torch.zeros_like(shift)
        one[:, unit] = 1.0
        row = seen.hessian_product(one, create_graph)
        covariance = (x * x * weight[unit]) @ weight.T  # B, J
        row = squarable(row)
        total = total + (row * covariance if shared else row[:, unit] * covariance[:, unit]).sum()
    return total


def _signed(seen: _Seen, shared: bool, generator: torch.Generator | None) -> Tensor:
    """Random directions (B, J) whose covariance is C_b of `_trace`."""
    x, weight, shift, _ = seen
    if shared:
        return (x * _signs(x, generator)) @ weight.T
    return ((x * x) @ (weight * weight).T).sqrt() * squarable(_signs(shift, generator))


def _signs(like: Tensor, generator: torch.Generator | None) -> Tensor:
    fair = draws.uniform(like.shape, generator, device=like.device) < 0.5
    return torch.where(fair, -1.0, 1.0).to(like.dtype)


def _quadratic_form(seen: _Seen, direction: Tensor, create_graph: bool) -> Tensor:
    product = seen.hessian_product(direction.to(seen.gradient.dtype), create_graph)
    return (squarable(product) * direction).sum()
