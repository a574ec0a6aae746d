"""The loss's Hessian H in a model's outputs: labels that the model draws itself, products, and whether it fits."""

import math

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.objectives import Outputs, Step


def terms(z: Tensor, outputs: Outputs) -> int:
    """The number of terms of which the mean loss of outputs z is the mean.

    For z (B, ..., C) of "softmax" they are the B * ... predictions, else all numbers, as torch's losses count them.
    """
    return z.numel() // z.shape[-1] if outputs == "softmax" else z.numel()


def drawn_labels(z: Tensor, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
    """Labels of the model's own law for outputs z (B, ..., C): classes (B, ...), or a number for each output.

    A number is 0 or 1 by the chance that the output states, or of the normal law that the squared error belongs to.
    """
    z = z.detach()
    match outputs:
        case "softmax":
            below = z.softmax(-1).cumsum(-1)
            picked = below < draws.uniform((*z.shape[:-1], 1), generator, device=z.device)
            return picked.sum(-1).clamp(max=z.shape[-1] - 1)  # where rounding leaves the last sum below 1
        case "sigmoid":
            return (draws.uniform(z.shape, generator, device=z.device) < z.sigmoid()).to(z.dtype)
        case "squared":
            return z + math.sqrt(0.5) * draws.normal(z.shape, generator, dtype=z.dtype, device=z.device)


def summed_loss(z: Tensor, labels: Tensor, outputs: Outputs) -> Tensor:
    """The sum, not the mean, of the loss of outputs z (B, ..., C) for `drawn_labels`; a scalar."""
    match outputs:
        case "softmax":
            return -z.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).sum()
        case "sigmoid":
            return nn.functional.binary_cross_entropy_with_logits(z, labels, reduction="sum")
        case "squared":
            return (z - labels).square().sum()


def hessian_product(z: Tensor, u: Tensor, outputs: Outputs) -> Tensor:
    """H u for the Hessian of the summed loss in z, both (B, ..., C); H is held constant.

    H is diag(pi) - pi pi^T of a softmax, diag(pi (1 - pi)) of sigmoids, and 2 of the squared error.
    """
    z = z.detach()
    match outputs:
        case "softmax":
            weighted = z.softmax(-1) * u
            return weighted - z.softmax(-1) * weighted.sum(-1, keepdim=True)
        case "sigmoid":
            return z.sigmoid() * (-z).sigmoid() * u
        case "squared":
            return 2.0 * u


def quadratic_form(z: Tensor, u: Tensor, outputs: Outputs) -> Tensor:
    """u^T H u for u (B, ..., C); a scalar."""
    return (u * hessian_product(z, u, outputs)).sum()


def check_fit(step: Step, z: Tensor, outputs: Outputs, name: str) -> None:
    """Compare the loss's Hessian in the outputs z, times one direction, with that of what they are said to be.

    Raises:
        ValueError: they differ, by their form or by a factor.
    """
    at = z.detach().requires_grad_()
    number = torch.arange(at.numel(), device=at.device).reshape(at.shape)
    u = torch.cos(number * number).to(at.dtype)  # no draw, so that a training that is resumed draws the same
    (slope,) = torch.autograd.grad(step.loss(at), at, create_graph=True, materialize_grads=True)
    found = torch.zeros_like(at)
    if slope.requires_grad:
        (found,) = torch.autograd.grad(slope, at, u, materialize_grads=True)
    expected = hessian_product(at, u, outputs) / terms(at, outputs)
    if (found - expected).norm() <= 0.01 * expected.norm() + 1e-6 / terms(at, outputs):
        return
    times = (found * expected).sum() / expected.square().sum()
    near = (found - times * expected).norm() <= 0.01 * found.norm()
    differs = f"{float(times):.4g} times as curved as" if near and times != 0 else "curved otherwise than"
    raise ValueError(
        f'{name} takes the outputs for "{outputs}", and in them the loss is {differs} the mean over {_TERMS[outputs]}: '
        "let the task say the right `outputs`, take the mean as its loss, or search another regularizer"
    )


_TERMS = {
    "softmax": "the predictions of a cross-entropy",
    "sigmoid": "the outputs of a binary cross-entropy",
    "squared": "the outputs of a squared error",
}
