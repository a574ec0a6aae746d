"""Jacobians by `torch.autograd.grad(..., is_grads_batched=True)`, as torch.autograd.functional takes them."""

import pytest
import torch

from pernodedrop import PerNodeDropLinear
from tests.layers.subjects import LAYERS, Case


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("of_x", [True, False], ids=["of_x", "of_parameters"])
def test_they_are_those_of_one_after_the_other(name: str, of_x: bool) -> None:
    case = Case(name)
    layer = case.layer()
    x = case.x(requires_grad=of_x)
    wanted = [*([x] if of_x else []), *layer.parameters()]
    if not wanted:
        pytest.skip("nothing to differentiate by")
    y = layer(x).flatten()
    rows = torch.eye(y.numel())[:5]
    batched = torch.autograd.grad(y, wanted, rows, is_grads_batched=True, retain_graph=True, allow_unused=True)
    for found, each in zip(batched, wanted, strict=True):
        by_row = [torch.autograd.grad(y, each, row, retain_graph=True, allow_unused=True)[0] for row in rows]
        if found is None:
            assert by_row == [None] * len(rows)
        else:
            torch.testing.assert_close(found, torch.stack([one for one in by_row if one is not None]))


@pytest.mark.parametrize("stir", ["bernoulli", "gaussian", "partial_gaussian"])
def test_hessians_are_those_of_one_after_the_other(stir: str) -> None:
    layer = PerNodeDropLinear(5, 3, stir_type=stir, noisy_fraction=0.5 if stir == "partial_gaussian" else 1.0)
    weight = layer.weight.detach()

    def loss(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return torch.func.functional_call(layer, {"weight": weight}, (x,)).sin().sum()

    inputs = (torch.randn(2, 5), weight)
    one_by_one, batched = (torch.autograd.functional.hessian(loss, inputs, vectorize=each) for each in (False, True))
    for row, other in zip(one_by_one, batched, strict=True):
        for found, wanted in zip(other, row, strict=True):
            torch.testing.assert_close(found, wanted)
