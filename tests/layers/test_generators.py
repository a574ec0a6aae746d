"""Explicit generators: what checkpoints, copies and workers that load data make of them."""

import copy
import gc
import itertools
import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torch.utils.data import DataLoader

from pernodedrop import GaussianDropout, PerNodeDropLinear, checkpointing, generators
from pernodedrop.laws import Stir

Call = Callable[[Tensor], Tensor]
MODES = [None, True, False]  # no checkpoint, a reentrant one, one that is not


def around(call: Call, use_reentrant: bool | None) -> Call:
    return call if use_reentrant is None else lambda x: checkpoint(call, x, use_reentrant=use_reentrant)


def layers() -> tuple[nn.Module, nn.Module, nn.Module]:
    """Three that share a generator."""
    generator = torch.Generator().manual_seed(5)
    first = PerNodeDropLinear(8, 8, generator=generator)
    last = PerNodeDropLinear(8, 8, stir_type="gaussian", backend="flipout", generator=generator)
    return first, GaussianDropout(generator=generator), last


def gradients(outer: bool | None, inner: bool | None) -> list[Tensor]:
    """Of three passes of a block in a block before one backward; two of the passes are of one input."""
    torch.manual_seed(0)
    first, between, last = layers()
    x = torch.randn(4, 8, requires_grad=True)
    block = around(lambda h: last(torch.tanh(between(first(h)) + nn.functional.dropout(first(h)))), inner)
    whole = around(lambda h: torch.tanh(block(between(h))) + block(h), outer)
    one, two = whole(x), whole(x)
    three = whole(one)
    (one * two + three.square()).sum().backward()
    return [one, two, three, x.grad, first.weight.grad, last.weight.grad]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # a reentrant one in another
@pytest.mark.parametrize("outer, inner", list(itertools.product(MODES, MODES)))
def test_checkpoints_repeat_the_draws(outer: bool | None, inner: bool | None) -> None:
    for mine, plain in zip(gradients(outer, inner), gradients(None, None), strict=True):
        torch.testing.assert_close(mine, plain)
    gc.collect()
    assert not generators._NOTES  # they end with the graphs


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_graph_that_is_kept_is_computed_again_each_time(use_reentrant: bool) -> None:
    layer = PerNodeDropLinear(8, 8, generator=torch.Generator().manual_seed(5))
    model = nn.Sequential(layer, nn.Tanh(), layer)
    y = checkpoint_sequential(model, 2, torch.randn(4, 8, requires_grad=True), use_reentrant=use_reentrant).sum()
    grads = []
    for _ in range(2):
        layer.zero_grad()
        y.backward(retain_graph=True)
        grads.append(layer.weight.grad)
        layer(torch.randn(4, 8))  # moves the generator
    torch.testing.assert_close(*grads)


def test_other_passes_during_a_backward_are_refused() -> None:
    layer = PerNodeDropLinear(8, 8, generator=torch.Generator())
    x = torch.randn(4, 8, requires_grad=True)
    y = x * 2
    y.register_hook(layer)
    with pytest.raises(RuntimeError, match="an explicit generator draws while a backward pass runs"):
        y.sum().backward()


def test_a_checkpoint_that_draws_otherwise_is_refused() -> None:
    layer, calls = PerNodeDropLinear(8, 8, generator=torch.Generator()), []

    def changing(x: Tensor) -> Tensor:
        calls.append(1)
        return layer(x) if len(calls) == 1 else layer(layer(x))

    with pytest.raises(RuntimeError, match="computed its forward pass again with other draws"):
        checkpoint(changing, torch.randn(4, 8, requires_grad=True), use_reentrant=True).sum().backward()


def test_a_copy_of_the_generator_made_before_the_layer_s_is_the_layer_s_too() -> None:
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(PerNodeDropLinear(8, 8, generator=generator))
    model.own = generator  # copied before the layer, by torch
    state = generator.get_state()
    twin = copy.deepcopy(model)
    assert twin.own is twin[0].generator
    assert not torch.equal(twin.own.get_state(), state)
    assert torch.equal(generator.get_state(), state)


class _Noise(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.layer = GaussianDropout(generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return self.layer(torch.ones(3)).detach()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking beside threads
def test_workers_that_load_data_draw_other_noise() -> None:
    # Torch cannot send a generator to a process that is not forked from this one, as Python 3.14 makes them by itself.
    rows = torch.cat(list(DataLoader(_Noise(), num_workers=2, multiprocessing_context="fork")))
    assert rows.unique(dim=0).shape[0] == 4


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_threads_that_share_a_generator_repeat_their_own_draws(use_reentrant: bool) -> None:
    """A product is linear in its input, whatever its mask: its gradient there gives it back."""

    def slow_draw(shape: Sequence[int], *, generator: torch.Generator, **how: Any) -> Tensor:
        time.sleep(0.02)  # in which the other thread would draw
        return 2.0 * torch.rand(shape, generator=generator, **how)

    generator = torch.Generator().manual_seed(1)
    layer = PerNodeDropLinear(8, 8, bias=False, stir_type=slow_draw, generator=generator)

    def gap(_: int) -> float:
        x = torch.randn(4, 8, requires_grad=True)
        y = checkpoint(layer, x, use_reentrant=use_reentrant).sum()
        y.backward()
        return float(((x.grad * x).sum() - y).detach().abs())

    with ThreadPoolExecutor(2) as threads:
        assert max(threads.map(gap, range(4))) < 1e-3


def test_a_noise_may_draw_from_another_generator_in_another_thread() -> None:
    other = GaussianDropout(generator=torch.Generator().manual_seed(2))

    def in_parts(shape: Sequence[int], *, generator: torch.Generator, **how: Any) -> Tensor:
        return threads.submit(other, torch.ones(tuple(shape))).result(20) if is_in_parts else torch.ones(shape, **how)

    is_in_parts = False
    layer = PerNodeDropLinear(8, 8, stir_type=in_parts, generator=torch.Generator().manual_seed(1))
    is_in_parts = True
    with ThreadPoolExecutor(1) as threads:
        assert layer(torch.randn(4, 8)).isfinite().all()


def test_two_generators_draw_at_once() -> None:
    both = threading.Barrier(2, timeout=20)

    def meeting(shape: Sequence[int], *, generator: torch.Generator, **how: Any) -> Tensor:
        both.wait()
        return 2.0 * torch.rand(shape, generator=generator, **how)

    stirs = [Stir(stir_type=meeting) for _ in range(2)]
    seeds = [torch.Generator().manual_seed(seed) for seed in range(2)]
    with ThreadPoolExecutor(2) as threads:
        drawn = list(threads.map(lambda stir, generator: stir.draw((3,), generator=generator), stirs, seeds))
    expected = [2.0 * torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    torch.testing.assert_close(drawn, expected)


def test_a_forked_child_draws_whatever_thread_drew_in_the_parent() -> None:
    generator = torch.Generator().manual_seed(1)
    with generators._DRAWING.lock(generator), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: what is tested here
        child = os.fork()
        if child == 0:
            drawn = []
            thread = threading.Thread(target=lambda: drawn.append(GaussianDropout(generator=generator)(torch.ones(3))))
            thread.start()
            thread.join(20)
            os._exit(0 if drawn else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_the_checkpoints_of_another_torch_are_refused(use_reentrant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this one are known; else the gradients would be those of other noise."""
    layer = PerNodeDropLinear(8, 8, generator=torch.Generator())
    assert checkpointing.KNOWN
    monkeypatch.setattr(checkpointing, "KNOWN", False)
    x = torch.randn(4, 8, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^checkpoints of torch .* cannot repeat noise here: install"):
        checkpoint(layer, x, use_reentrant=use_reentrant)
    layer(x).sum().backward()
    with torch.no_grad():
        layer(x)
