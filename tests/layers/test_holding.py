"""One draw for several calls."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pernodedrop import DropConnectLinear, GaussianDropout, PerNodeDropLinear, held_noise, regularize
from pernodedrop.layers.noisy import Noisy
from pernodedrop.methods.tabu import TabuLinear
from pernodedrop.names import REGULARIZERS
from pernodedrop.places import KINDS

LAYERS: dict[str, Callable[[torch.Generator | None], nn.Module]] = {
    "pernodedrop": lambda generator: PerNodeDropLinear(6, 5, generator=generator),
    "one group": lambda generator: PerNodeDropLinear(6, 5, mask_groups=1, backend="mask", generator=generator),
    "gaussian": lambda generator: PerNodeDropLinear(6, 5, stir_type="gaussian", generator=generator),
    "dropconnect": lambda generator: DropConnectLinear(6, 5, generator=generator),
    "gaussian_dropout": lambda generator: GaussianDropout(generator=generator),
    "dropout": lambda generator: nn.Dropout(),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_all_calls_have_the_noise_of_the_first(name: str, own: bool) -> None:
    layer = LAYERS[name](torch.Generator().manual_seed(3) if own else None)
    x = torch.ones(4, 6, requires_grad=True)
    with held_noise(nn.Sequential(layer)):
        one, _, two = layer(x), torch.rand(3), layer(x)
        assert torch.equal(one, two)
        gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (one, two)]
        assert torch.equal(*gradients)
    with held_noise(layer):
        assert not torch.equal(layer(x), one)
    assert not torch.equal(layer(x), layer(x))
    assert not [*layer._forward_hooks, *(hook for hook in layer._forward_pre_hooks.values() if "call" in str(hook))]


def test_a_later_call_leaves_the_random_numbers_as_they_are() -> None:
    first, second = PerNodeDropLinear(6, 6), nn.Dropout()
    model, x = nn.Sequential(first, second), torch.ones(4, 6)
    torch.manual_seed(1)
    model(x)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with held_noise(model):
        y = model(x)
        assert torch.equal(model(x), y)
        assert torch.equal(torch.rand(3), expected)


def test_a_cell_of_one_group_is_one_weight_for_the_whole_sequence() -> None:
    cell = PerNodeDropLinear(3, 3, bias=False, mask_groups=1)
    states: list[Tensor] = [torch.eye(3)]
    with held_noise(cell):
        for _ in range(3):
            states.append(cell(states[-1]))
    weight = states[1]
    torch.testing.assert_close(states[3], weight @ weight @ weight)
    assert isinstance(cell, Noisy)


def _place(place: str) -> nn.Module:
    made = {"slot": nn.Linear(6, 6), "map": nn.Identity(), "branch": nn.Identity(), "recurrence": nn.LSTM(6, 6)}
    return made[place]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", [each for each in REGULARIZERS if REGULARIZERS[each].place in KINDS])
def test_every_regularizer_is_held(name: str, training: bool) -> None:
    """In evaluation by the switch of Monte Carlo dropout, where a layer has one."""
    torch.manual_seed(2)
    place = REGULARIZERS[name].place
    options = {"drop_block": {"block_size": 2}}.get(name, {})
    model = nn.Sequential()
    model.add_module(place, _place(place))
    regularize(model, name, where=place, drop_rate=0.4, options=options) if name != "none" else None
    model.train(training)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    x = torch.randn(5, 4, 6, 6) if place in ("map", "branch") else torch.randn(5, 4, 6)

    def output() -> Tensor:
        y = model(x)
        return y[0] if isinstance(y, tuple) else y

    with held_noise(model):
        one, two, three = output(), output(), output()
    assert torch.equal(one, two)
    assert torch.equal(one, three)


def test_what_a_layer_keeps_of_its_draws_moves_on_once() -> None:
    layers = [TabuLinear(50, 1, drop_rate=0.5, tenure=2, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    held, plain = layers
    held.load_state_dict(plain.state_dict())
    plain(torch.ones(1, 50))
    with held_noise(held):
        for _ in range(3):
            held(torch.ones(1, 50))
    assert torch.equal(held.waits, plain.waits)
    assert torch.equal(held.chances, plain.chances)
    assert torch.equal(held(torch.ones(1, 50)), plain(torch.ones(1, 50)))


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize("own_generator", [True, False])
def test_a_checkpoint_computes_held_calls_again_with_the_noise_that_was_held(
    reentrant: bool, within: bool, own_generator: bool
) -> None:
    generator = torch.Generator().manual_seed(1) if own_generator else None
    cell = PerNodeDropLinear(8, 8, bias=False, generator=generator)
    x = torch.randn(4, 8, requires_grad=True)
    with held_noise(cell):
        checkpoint(cell, x, use_reentrant=reentrant)
        y = checkpoint(lambda x: cell(cell(x)), x, use_reentrant=reentrant)
        if within:
            y.square().sum().backward()
    if not within:
        y.square().sum().backward()
    torch.testing.assert_close((x.grad * x).sum(), 2 * y.square().sum())  # of a product, whatever its mask
    torch.testing.assert_close((cell.weight.grad * cell.weight).sum(), 4 * y.square().sum())
    assert not cell._forward_hooks


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("own_generator", [True, False])
def test_noise_held_within_a_checkpoint_is_held_there_alone_when_it_computes_again(
    reentrant: bool, own_generator: bool
) -> None:
    generator = torch.Generator().manual_seed(1) if own_generator else None
    cell = PerNodeDropLinear(8, 8, bias=False, generator=generator)

    def twice(x: Tensor) -> Tensor:
        with held_noise(cell):
            one = cell(cell(x))
        with held_noise(cell):
            other = cell(cell(x))
        return one + other + cell(cell(x))

    x = torch.randn(4, 8, requires_grad=True)
    y = checkpoint(twice, x, use_reentrant=reentrant)
    y.square().sum().backward()
    torch.testing.assert_close((x.grad * x).sum(), 2 * y.square().sum())
    torch.testing.assert_close((cell.weight.grad * cell.weight).sum(), 4 * y.square().sum())


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("was_held", [True, False])
def test_a_checkpoint_that_repeats_while_other_noise_is_held_has_its_own(reentrant: bool, was_held: bool) -> None:
    cell = PerNodeDropLinear(8, 8, bias=False)
    x = torch.randn(4, 8, requires_grad=True)
    with held_noise(cell) if was_held else nullcontext():
        y = checkpoint(lambda x: cell(cell(x)), x, use_reentrant=reentrant)
    with held_noise(cell):
        first = cell(torch.ones(4, 8))
        y.square().sum().backward()
        assert torch.equal(cell(torch.ones(4, 8)), first)
    torch.testing.assert_close((x.grad * x).sum(), 2 * y.square().sum())


def test_noise_is_held_for_one_thread() -> None:
    """Which sets the states of generators: another would draw in between."""
    cell, x = PerNodeDropLinear(8, 8, bias=False), torch.randn(4, 8, requires_grad=True)
    with ThreadPoolExecutor(1) as other:
        with held_noise(cell):
            y = checkpoint(lambda x: cell(cell(x)), x, use_reentrant=False)
            with pytest.raises(RuntimeError, match=r"^held_noise holds .* another thread calls PerNodeDropLinear: .*$"):
                other.submit(cell, x).result()
        other.submit(y.square().sum().backward).result()  # a backward pass may run anywhere
    torch.testing.assert_close((x.grad * x).sum(), 2 * y.square().sum())
    assert not cell._forward_hooks


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("own_generator", [True, False])
def test_autograd_may_compute_held_calls_again_in_a_thread_of_a_device(reentrant: bool, own_generator: bool) -> None:
    """As it does for tensors of a GPU, while the thread that holds the noise waits for the gradients."""
    generator = torch.Generator().manual_seed(1) if own_generator else None
    cell = PerNodeDropLinear(8, 8, bias=False, generator=generator)
    x = torch.randn(4, 8, requires_grad=True)
    with ThreadPoolExecutor(1) as device, held_noise(cell):
        y = checkpoint(lambda x: cell(cell(x)), x, use_reentrant=reentrant)
        device.submit(y.square().sum().backward).result()
        torch.testing.assert_close(y, cell(cell(x)))  # it is held as before
    torch.testing.assert_close((x.grad * x).sum(), 2 * y.square().sum())
    torch.testing.assert_close((cell.weight.grad * cell.weight).sum(), 4 * y.square().sum())
    assert not cell._forward_hooks


def test_a_function_of_ones_own_may_compute_a_held_call_again_in_a_thread_of_a_device() -> None:
    cell = PerNodeDropLinear(8, 8, bias=False)

    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return cell(x)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Tensor:
            with torch.enable_grad():
                x = ctx.saved_tensors[0].detach().requires_grad_()
                y = cell(x)
            return torch.autograd.grad(y, x, *grads)[0]

    x = torch.randn(4, 8, requires_grad=True)
    with ThreadPoolExecutor(1) as device, held_noise(cell):
        y = Again.apply(x).sum()
        device.submit(y.backward).result()
    torch.testing.assert_close((x.grad * x).sum(), y)


def test_two_threads_compute_no_held_calls_at_once() -> None:
    repeats, entered, refused = Event(), Event(), Event()

    def waits(shape: Sequence[int], *, generator: torch.Generator | None, **how: Any) -> Tensor:
        if repeats.is_set() and not entered.is_set():
            entered.set()
            assert refused.wait(60)
        return 2.0 * torch.rand(shape, generator=generator, **how)

    cell, x = PerNodeDropLinear(8, 8, bias=False, stir_type=waits), torch.randn(4, 8, requires_grad=True)
    with held_noise(cell):
        slow = checkpoint(cell, x, use_reentrant=False)
        fast = checkpoint(cell, x, use_reentrant=False)
    repeats.set()
    with ThreadPoolExecutor(1) as other:
        running = other.submit(torch.autograd.grad, slow.sum(), x)
        assert entered.wait(60)
        with pytest.raises(RuntimeError, match=r"^held_noise holds .* two threads compute such calls at once: "):
            torch.autograd.grad(fast.sum(), x, retain_graph=True)
        refused.set()
        (grad,) = running.result()
    torch.testing.assert_close((grad * x).sum(), slow.sum())
    torch.testing.assert_close((torch.autograd.grad(fast.sum(), x)[0] * x).sum(), fast.sum())
    assert not cell._forward_hooks


def test_noise_is_held_until_the_last_thread_has_computed_it_again() -> None:
    repeats, entered, left = Event(), Event(), Event()

    def waits(x: Tensor) -> Tensor:
        if repeats.is_set():
            entered.set()
            assert left.wait(60)
        return cell(cell(x))

    cell, x = PerNodeDropLinear(8, 8, bias=False), torch.randn(4, 8, requires_grad=True)
    with ThreadPoolExecutor(1) as other:
        with held_noise(cell):
            y = checkpoint(waits, x, use_reentrant=False).square().sum()
            repeats.set()
            running = other.submit(torch.autograd.grad, y, x)
            assert entered.wait(60)
        left.set()
        (grad,) = running.result()
    torch.testing.assert_close((grad * x).sum(), 2 * y)
    assert not cell._forward_hooks
