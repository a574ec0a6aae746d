"""A weight that several modules have, and modules that read some layers and call others: one noise, where asked."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from tests.layers.test_watch import warnings_of

REGULARIZERS = ["pernodedrop", "dropout", "dropconnect", "masksembles", "shakeout", "standout"]


class Head(nn.Module):
    """Has a weight and computes with it, as heads that are tied to an embedding do."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight)


class Own(nn.Linear):
    """Has a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Tied(nn.Module):
    """A layer, others with its weight, one of them held by a list, and a product with it."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.own = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False), Own(8, 8, bias=False)
        self.l2.weight = self.own.weight = self.l1.weight
        self.within = nn.Sequential(Head(self.l1.weight))
        self.listed = [Head(self.l1.weight)]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        others = (self.l2, self.own, self.within, *self.listed)
        return nn.functional.linear(x, self.l1.weight), self.l1(x), *(other(x) for other in others)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's compiler reads it at a graph break
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_a_layer_that_was_not_chosen_stays_what_it_is_though_it_shares_a_chosen_ones_weight(
    regularizer: str, compiled: bool
) -> None:
    model, x = Tied(), torch.randn(8, 8)
    expected = model(x)[0].detach()
    regularize(model, regularizer, where="l1")
    call: Callable[[Tensor], tuple[Tensor, ...]] = model
    if compiled:
        torch._dynamo.reset()
        model(x)
        call = torch.compile(model, backend="eager")
    for _ in range(2):
        read, called, *others = call(x)
        for noisy in (read, called):
            assert not torch.allclose(noisy, expected, atol=1e-3)
        for other in others:
            torch.testing.assert_close(other, expected)


def test_it_says_nothing_of_the_chosen_layer() -> None:
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.l1, self.l2 = nn.Linear(8, 8), nn.Linear(8, 8)
            self.l2.weight = self.l1.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.l2(x)

    model, x = Twins(), torch.randn(3, 8)
    regularize(model, "dropout", where="l1")
    (message,) = warnings_of(model, x)
    assert message.startswith("l1 did not run in the first training forward")


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's compiler reads it at a graph break
@pytest.mark.parametrize("regularizer", ["dropout", "shakeout", "tabu", "concrete_dropout", "gaussian_dropout"])
@pytest.mark.parametrize("compiled", [False, True])
def test_each_product_has_its_noise_once(regularizer: str, compiled: bool) -> None:
    """Read, called, and computed by a forward of the layer's own: all three have the variance of one layer alone."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.called, self.own = (kind(4, 3, bias=False) for kind in (nn.Linear, nn.Linear, Own))

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return nn.functional.linear(x, self.read.weight), self.called(x), self.own(x)

    model, alone = Model(), nn.Sequential(nn.Linear(4, 3, bias=False))
    for layer in (model.read, model.called, model.own, alone[0]):
        nn.init.ones_(layer.weight)
    torch.manual_seed(1)
    x = torch.ones(1000 if regularizer == "tabu" else 20_000, 4)
    for each in (model, alone):
        regularize(each, regularizer, where=lambda _name, _layer: True)
        each(x)
    call: Callable[[Tensor], tuple[Tensor, ...]] = model
    if compiled:
        torch._dynamo.reset()
        call = torch.compile(model, backend="eager")
    calls = 1
    if regularizer == "tabu":  # one mask a forward
        x, calls = x[:1], 1000
    with torch.no_grad():
        expected = torch.cat([alone(x) for _ in range(calls)]).var(0).mean()
        drawn = [torch.cat(found) for found in zip(*(call(x) for _ in range(calls)), strict=True)]
    for found in drawn:
        torch.testing.assert_close(found.var(0).mean(), expected, rtol=0.2, atol=0.0)  # of 1000 draws; twice is twofold


def test_every_handle_on_a_layer_is_told_that_it_runs() -> None:
    """In the order of the handles or not: none warns of layers that ran, and nothing is left of them afterwards."""
    for undone in ((2, 1), (1, 2), (0,), ()):
        model, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(3, 8)
        handles = [regularize(model, name, nn.Linear) for name in ("shakeout", "pernodedrop", "ninr")]
        for number in undone:
            handles[number].undo()
        assert warnings_of(model, x) == []
        assert "watcher" not in vars(model[0])
