"""One draw of noise for several calls of a layer, as a recurrent cell needs it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pernodedrop.layers.regularizing import Regularizing
from pernodedrop.monte_carlo import dropout_layers

States = list[tuple[torch.Generator | Tensor, Tensor]]


@contextmanager
def held_noise(model: nn.Module) -> Iterator[None]:
    """Within it each dropout layer, torch's and the family's, draws at every call what it drew at its first.

    A cell that is called once a step then has one mask for the whole sequence (Gal and Ghahramani 2016,
    arXiv:1512.05287), for each sample or each group of them. Equal noise needs inputs of equal shape. Enter it anew for
    every sequence. Random numbers after a later call are those that would have come without it, and so is the memory of
    a layer that keeps one of its draws, as tabu dropout does.

    Raises:
        RuntimeError: within compiled code, which keeps no state of a generator.
    """
    if torch.compiler.is_compiling():
        raise RuntimeError("held_noise keeps states of generators, which torch.compile cannot trace: call it outside")
    first: dict[nn.Module, States] = {}
    after: dict[nn.Module, States] = {}

    def before_call(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        now = _states(layer, inputs)
        if layer in first:
            after[layer] = now
            _set(first[layer])
        else:
            first[layer] = now

    def after_call(layer: nn.Module, _inputs: tuple[Any, ...], _output: Any) -> None:
        _set(after.pop(layer, []))

    with ExitStack() as hooks:
        for layer in dropout_layers(model):
            hooks.callback(layer.register_forward_pre_hook(before_call, prepend=True).remove)
            hooks.callback(layer.register_forward_hook(after_call, always_call=True).remove)
        yield


def _states(layer: nn.Module, inputs: tuple[Any, ...]) -> States:
    """The generators from which the layer may draw, and what it keeps of its draws, with their states."""
    own = getattr(layer, "generator", None)
    used = [torch.default_generator] if own is None else [own]
    if own is None and any(isinstance(each, Tensor) and each.is_cuda for each in inputs):
        used += list(torch.cuda.default_generators)
    names = layer.own if isinstance(layer, Regularizing) else ()
    kept = [layer._buffers.get(name) for name in names]
    states: States = [(generator, generator.get_state()) for generator in used]
    return states + [(buffer, buffer.clone()) for buffer in kept if buffer is not None]


def _set(states: States) -> None:
    for of, state in states:
        if isinstance(of, Tensor):
            of.copy_(state)
        else:
            of.set_state(state)
