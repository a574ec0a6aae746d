"""One draw of noise for several calls of a layer, as a recurrent cell needs it."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, nn

from pernodedrop.generators import begun_checkpoints, is_backward, let_checkpoints_repeat, repeats_within, repetition
from pernodedrop.layers.regularizing import Regularizing
from pernodedrop.monte_carlo import dropout_layers

_SEVERAL = "held_noise holds the noise of one thread, and {what}: give every thread a copy of the model"
States = list[tuple[torch.Generator | Tensor, Tensor]]


@contextmanager
def held_noise(model: nn.Module) -> Iterator[None]:
    """Within it each dropout layer, torch's and the family's, draws at every call what it drew at its first.

    A cell that is called once a step then has one mask for the whole sequence (Gal and Ghahramani 2016,
    arXiv:1512.05287), for each sample or each group of them. Equal noise needs inputs of equal shape. Enter it anew for
    every sequence. Random numbers after a later call are those that would have come without it, and so is the memory of
    a layer that keeps one of its draws, as tabu dropout does. It sets the states of generators that all threads have in
    common: no other thread should draw from them meanwhile.

    Raises:
        RuntimeError: within compiled code, which keeps no state of a generator; or another thread calls a layer, but
            in a backward pass, or two threads compute such calls at the same time.
    """
    if torch.compiler.is_compiling():
        raise RuntimeError("held_noise keeps states of generators, which torch.compile cannot trace: call it outside")
    with _Held(dropout_layers(model)).hooked():
        yield


class _Held:
    """The first draws of layers, which their later calls repeat; so does a checkpoint that computes a call again."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self._layers = list(layers)
        self._first: dict[nn.Module, States] = {}
        self._after: dict[tuple[int, nn.Module], States] = {}  # of the calls that run, by their thread
        self._thread = get_ident()
        self._entering, self._inside = Lock(), 0  # how many times it is entered
        self._hooks = ExitStack()
        self._around = begun_checkpoints()
        self._entered_in = repetition()

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Within it the layers' calls have the first draws, once only where it is entered within itself.

        Autograd may enter it from a thread of a device, while the thread that holds the noise waits for the gradients.
        """
        with self._entering:
            self._inside += 1
            if self._inside == 1:
                for layer in self._layers:
                    self._hooks.callback(layer.register_forward_pre_hook(self._before_call, prepend=True).remove)
                    self._hooks.callback(layer.register_forward_hook(self._after_call, always_call=True).remove)
        try:
            yield
        finally:
            with self._entering:
                self._inside -= 1
                if not self._inside:
                    self._hooks.close()

    def _before_call(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        repeated, thread = repetition(), get_ident()
        if repeated is not None and repeated != self._entered_in and not repeats_within(repeated[0], self.hooked):
            return  # of a checkpoint that was not computed within
        if thread != self._thread and not is_backward():
            raise RuntimeError(_SEVERAL.format(what=f"another thread calls {type(layer).__name__}"))
        self._after[thread, layer] = []
        if any(other != thread for other, _ in list(self._after)):
            raise RuntimeError(_SEVERAL.format(what="two threads compute such calls at once"))
        let_checkpoints_repeat(self.hooked, None, self._around)
        now = _states(layer, inputs)
        if layer in self._first:
            self._after[thread, layer] = now
            _set(self._first[layer])
        else:
            self._first[layer] = now

    def _after_call(self, layer: nn.Module, _inputs: tuple[Any, ...], _output: Any) -> None:
        _set(self._after.pop((get_ident(), layer), []))


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
