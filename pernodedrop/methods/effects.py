"""What multiplicative noise on dense layers does, explicitly and implicitly (Wei, Kakade, Ma 2020, arXiv:2002.12915).

With g = d l / d h at the place h of a noise, to second order the noise adds R = 1/2 s^2 tr(J^T H J C) to the expected
loss, s^2 C the covariance of its perturbation of h and J^T H J the Gauss-Newton part of the Hessian in h, and adds
<g, perturbation> to each loss that is drawn.

    Dropout:      1/2 s^2 mean_b sum_i x_bi^2 (J^T H J)_b,ii in the inputs x
    PerNodeDrop:  1/2 s^2 mean_b sum_j v_bj (J^T H J)_b,jj in the pre-activations, v = (x * x)(W * W)^T
    DropConnect:  as PerNodeDrop, where samples do not meet in the model

A factor that all positions of a sample share multiplies their sum: the sum over time lies within the square.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.gaussian_product import squared_product
from pernodedrop.functional import stirred_linear
from pernodedrop.laws import Stir
from pernodedrop.methods import curvature
from pernodedrop.methods.observed import Call
from pernodedrop.objectives import Outputs

_SIGNS = Stir(0.5)  # factors 0 and 2: 1 and a fair sign


def explicit_by_labels(z: Tensor, calls: Sequence[Call], labels: Tensor, outputs: Outputs) -> Tensor:
    """R from labels of the outputs z (B, ..., C) that the model itself draws; a scalar, unbiased for R.

    Its expected gradient is that of R with H held constant; nothing else is held constant (Wei et al., section 4).
    """
    total = z.new_zeros(())
    for call, score in _with_gradients(curvature.summed_loss(z, labels, outputs), calls):
        total = total + call.noise.variance * _squares(call, wide(score)).to(total.dtype)
    return 0.5 * total / curvature.terms(z, outputs)


def explicit_by_products(z: Tensor, calls: Sequence[Call], outputs: Outputs) -> Tensor:
    """R from one random direction at all places at once: u^T H u, u = J (direction), with H held constant.

    A scalar, unbiased for R.
    """
    cotangent = torch.zeros_like(z, requires_grad=True)  # J u is the derivative of <J^T c, u> in c
    along = z.new_zeros(())
    for call, pulled in _with_gradients(z, calls, cotangent):
        deviation = math.sqrt(call.noise.variance)
        along = along + deviation * (wide(pulled) * _direction(call)).sum().to(along.dtype)
    if not along.requires_grad:
        return along
    (u,) = torch.autograd.grad(along, cotangent, create_graph=True, materialize_grads=True)
    return 0.5 * curvature.quadratic_form(z, u, outputs) / curvature.terms(z, outputs)


def implicit(loss: Tensor, calls: Sequence[Call]) -> Tensor:
    """<d loss / d h, perturbation of h> over all calls, by noise s or -s at a fair chance; a scalar of mean 0.

    Its gradient is the noise that Dropout's masks have in the gradient of the loss, to first order. Gradients flow
    through both sides.
    """
    total = loss.new_zeros(())
    for call, slope in _with_gradients(loss, calls):
        total = total + math.sqrt(call.noise.variance) * (wide(slope) * perturbation(call)).sum().to(total.dtype)
    return total


def only_gradient(term: Tensor) -> Tensor:
    """A term of value 0 with the same gradient."""
    return term - term.detach()


def perturbation(call: Call) -> Tensor:
    """What noise of fair signs adds at its place: to x (..., I), or to the pre-activations (..., J), by each factor."""
    noise = call.noise
    x = wide(call.x)
    if noise.on == "inputs":
        return _signed(call)
    assert call.weight is not None
    weight = wide(call.weight)
    if noise.on == "weights":
        return nn.functional.linear(x, weight * _signs(weight, weight.shape, noise.generator))
    first = noise.batch_dim != 0 and noise.shares_time and x.dim() > 2  # the samples come first below
    rows = x.movedim(noise.batch_dim, 0) if first else x
    stirred, _ = stirred_linear(
        rows, weight, None, _SIGNS, share_time=noise.shares_time, backend="auto", generator=noise.generator
    )
    added = stirred - nn.functional.linear(rows, weight)
    return added.movedim(0, noise.batch_dim) if first else added


def _with_gradients(of: Tensor, calls: Sequence[Call], cotangent: Tensor | None = None) -> list[tuple[Call, Tensor]]:
    """The calls on which a tensor depends, with its differentiable gradients at their places."""
    if not calls or not of.requires_grad:
        return []
    edges = [call.edge for call in calls]
    found = torch.autograd.grad(of, edges, cotangent, create_graph=True, allow_unused=True)
    return [(call, gradient) for call, gradient in zip(calls, found, strict=True) if gradient is not None]


def _squares(call: Call, score: Tensor) -> Tensor:
    """The mean square of <score, perturbation> over the signs, summed over the samples."""
    noise, x = call.noise, wide(call.x)
    shared = noise.shares_time and x.dim() > 2
    if noise.on == "inputs":
        product = x * score
        return (product.sum(1 - noise.batch_dim) if shared else product).square().sum()
    assert call.weight is not None
    if not shared:
        return (squared_product(x, call.weight) * score.square()).sum()
    rows, scores = (each.movedim(noise.batch_dim, 0).flatten(1, -2) for each in (x, score))
    return (scores.mT @ rows * wide(call.weight)).square().sum()  # B, J, I


def _direction(call: Call) -> Tensor:
    """A random direction whose covariance is that of the perturbation, for each sample by itself."""
    noise = call.noise
    if noise.on == "inputs":
        return _signed(call)
    if noise.shares_time and call.x.dim() > 2:
        return perturbation(call)
    assert call.weight is not None
    square = squared_product(wide(call.x), call.weight)
    positive = square > 0  # the root has no derivative at 0
    deviation = torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
    return deviation * _signs(square, square.shape, noise.generator)


def _signed(call: Call) -> Tensor:
    noise, x = call.noise, wide(call.x)
    shape = list(x.shape)
    if noise.shares_time and x.dim() > 2:
        shape[1 - noise.batch_dim] = 1
    return x * _signs(x, shape, noise.generator)


def _signs(like: Tensor, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
    fair = draws.uniform(shape, generator, device=like.device) < 0.5
    return torch.where(fair, -1.0, 1.0).to(like.dtype)


def wide(tensor: Tensor) -> Tensor:
    """At least single precision: half precision sums no squares."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
