"""Gaussian noise on the outputs as one function: its values and derivatives are those of its operations."""

import pytest
import torch
from torch import Tensor

from pernodedrop.backends import gaussian_product as module
from pernodedrop.backends.factors import quantized
from pernodedrop.backends.gaussian_product import Noise, gaussian_product
from pernodedrop.functional import pernode_linear

SAMPLES, CONNECTIONS, UNITS = 6, 70, 33
ALL, SOME = None, (torch.tensor(3), quantized(0.4))


def operands(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    x, weight, bias = (
        torch.randn(shape, dtype=dtype, requires_grad=True)
        for shape in ((SAMPLES, CONNECTIONS), (UNITS, CONNECTIONS), (UNITS,))
    )
    with torch.no_grad():
        x[2] = 0.0  # its noise has no variance
    return x, weight, bias


def noise(chosen: tuple[Tensor, object] | None, dtype: torch.dtype) -> Noise:
    return Noise(0.7, torch.randn(SAMPLES, UNITS, dtype=dtype), chosen)


@pytest.mark.parametrize("chosen", [ALL, SOME])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_both_derivatives_are_those_of_the_operations(chosen: object, dtype: torch.dtype) -> None:
    inputs, drawn = operands(dtype), noise(chosen, dtype)
    assert module._is_fused(inputs[0], inputs[1], drawn.eps)
    found = []
    for product in (gaussian_product, module._by_operations):
        y = product(*inputs, drawn)
        first = torch.autograd.grad((y**3).sum(), inputs, retain_graph=True)
        again = torch.autograd.grad((y**3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in again), inputs)
        found.append((y, *first, *again, *second))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    for fused, plain in zip(*found, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)
        assert torch.isfinite(fused).all()


@pytest.mark.parametrize("chosen", [ALL, SOME])
@pytest.mark.parametrize("wanted", [(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)])
def test_whoever_wants_some_gradients_gets_those(chosen: object, wanted: tuple[int, int, int]) -> None:
    """In a model's first layer nobody wants the input's; with frozen weights nobody wants theirs."""
    inputs, drawn = operands(torch.float32), noise(chosen, torch.float32)
    every = torch.autograd.grad(gaussian_product(*inputs, drawn).sum(), inputs)
    some = [each.detach().requires_grad_(bool(is_wanted)) for each, is_wanted in zip(inputs, wanted, strict=True)]
    torch.autograd.backward(gaussian_product(*some, drawn).sum())
    for each, is_wanted, full in zip(some, wanted, every, strict=True):
        assert (each.grad is not None) == bool(is_wanted)
        assert each.grad is None or torch.equal(each.grad, full)


def test_a_square_beyond_the_type_times_nothing_is_nothing() -> None:
    """x^2 is infinite and W^2 is 0: no noise, as no connection is there."""
    x, weight = torch.full((2, 40), 1e25, requires_grad=True), torch.zeros(8, 40, requires_grad=True)
    y = gaussian_product(x, weight, None, Noise(0.7, torch.randn(2, 8)))
    assert torch.equal(y, torch.zeros(2, 8))
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()


@pytest.mark.parametrize("stir_type", ["gaussian", "partial_gaussian"])
def test_one_seed_gives_the_same_with_and_without_a_gradient(stir_type: str) -> None:
    """So a checkpoint's second pass is its first."""
    x, weight, bias = operands(torch.float32)
    outputs = []
    for is_recorded in (True, False):
        torch.manual_seed(5)
        with torch.set_grad_enabled(is_recorded):
            outputs.append(pernode_linear(x, weight, bias, 0.4, stir_type=stir_type))
    assert torch.equal(*outputs)
