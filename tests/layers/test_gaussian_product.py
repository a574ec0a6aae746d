"""Gaussian noise on the outputs as one function: its values and derivatives are those of its operations."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from pernodedrop import autocast
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
        largest = plain.abs().max().item()  # sums whose terms cancel are rounded as their terms are
        torch.testing.assert_close(fused, plain, rtol=0, atol=largest * (1e-5 if dtype == torch.float32 else 1e-13))


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


@pytest.mark.parametrize("stir_type", ["gaussian", "partial_gaussian", "bernoulli"])
def test_a_layer_called_twice_has_its_gradient_once(stir_type: str) -> None:
    """Also where it is to be differentiated again: its input depends on its weight there."""
    x, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in ((6, 40), (40, 40), (40,)))
    found = []
    for again in (False, True):
        leaves = [each.clone().requires_grad_() for each in (weight, bias)]
        calls: list[Tensor] = []
        leaves[0].register_hook(lambda grad, calls=calls: calls.append(grad))
        torch.manual_seed(5)
        y = pernode_linear(x, *leaves, 0.3, stir_type=stir_type).tanh()
        y = pernode_linear(y, *leaves, 0.3, stir_type=stir_type)
        found.append(torch.autograd.grad(y.square().sum(), leaves, create_graph=again))
        assert len(calls) == 1
    for once, twice in zip(*found, strict=True):
        torch.testing.assert_close(once, twice)


@pytest.mark.parametrize("stir_type", ["gaussian", "partial_gaussian", "bernoulli"])
def test_forward_over_reverse_through_a_first_layer(stir_type: str) -> None:
    """A Hessian times a vector, without a gradient of the input."""
    x, weight, along = (torch.randn(shape, dtype=torch.float64) for shape in ((6, 40), (9, 40), (9, 40)))

    def gradient(weight: Tensor) -> Tensor:
        torch.manual_seed(5)
        leaf = weight if weight.requires_grad else weight.requires_grad_()
        return torch.autograd.grad(pernode_linear(x, leaf, None, 0.3, stir_type=stir_type).tanh().sum(), leaf)[0]

    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(gradient(forward_ad.make_dual(weight.clone(), along))).tangent
    step = 1e-6 * along
    expected = (gradient((weight + step).detach()) - gradient((weight - step).detach())) / 2e-6
    torch.testing.assert_close(tangent, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stir_type", ["gaussian", "partial_gaussian"])
def test_a_checkpoint_s_gradient_is_that_of_the_pass_computed_again(stir_type: str) -> None:
    x, weight, bias = operands(torch.float64)

    def call(x: Tensor) -> Tensor:
        return pernode_linear(x, weight, bias, 0.4, stir_type=stir_type)

    torch.manual_seed(1)
    y = checkpoint(call, x, use_reentrant=False, preserve_rng_state=False)
    torch.manual_seed(2)
    found = torch.autograd.grad(y.sum(), weight)[0]
    torch.manual_seed(2)
    assert torch.equal(found, torch.autograd.grad(call(x).sum(), weight)[0])


@pytest.mark.parametrize("chosen", [ALL, SOME])
def test_backward_under_autocast_is_that_of_forward(chosen: object) -> None:
    inputs, drawn = operands(torch.float32), noise(chosen, torch.float32)
    found = []
    for is_cast in (False, True):
        y = gaussian_product(*inputs, drawn)
        with torch.autocast("cpu", enabled=is_cast):
            found.append(torch.autograd.grad(y.sum(), inputs))
    for plain, other in zip(*found, strict=True):
        assert torch.equal(plain, other)


def test_a_bias_may_be_changed_before_backward() -> None:
    x, weight, bias = operands(torch.float32)
    y = gaussian_product(x, weight, bias, noise(ALL, torch.float32))
    with torch.no_grad():
        bias.zero_()
    torch.autograd.backward(y.sum())


@pytest.mark.parametrize("stir_type", ["gaussian", "partial_gaussian", "bernoulli"])
@pytest.mark.parametrize("connections", [32, 40])
def test_storages_can_be_resized_afterwards(stir_type: str, connections: int) -> None:
    """As FSDP does with parameters."""
    x, weight, bias = torch.randn(4, connections), torch.randn(8, connections), torch.randn(8)
    torch.autograd.backward(pernode_linear(x, weight.requires_grad_(), bias, 0.3, stir_type=stir_type).sum())
    for each in (x, weight.detach(), bias):
        each.untyped_storage().resize_(0)


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


def test_a_negated_view_is_read_with_its_sign() -> None:
    """torch keeps the sign of a conjugate's imaginary part as a mark of the view."""
    x, weight = torch.randn(6, 40), torch.randn(9, 40)
    torch.manual_seed(5)
    y = pernode_linear(torch._neg_view(x), weight, None, 0.3)
    torch.manual_seed(5)
    assert torch.equal(y, pernode_linear(-x, weight, None, 0.3))


def test_autocast_of_a_device_that_torch_does_not_count_is_seen() -> None:
    before = torch.is_autocast_enabled("mps")
    torch.set_autocast_enabled("mps", True)
    try:
        assert autocast.is_on(cast(Tensor, SimpleNamespace(device=torch.device("mps"))))
        assert not autocast.is_on(torch.ones(1))
    finally:
        torch.set_autocast_enabled("mps", before)
