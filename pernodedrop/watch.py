"""Layers that a model reads instead of calling: noticed in its first training forward.

Some models never call a dense layer and compute with its weights themselves (Swin, BEiT, EVA). Where the module that
holds the layer does so by `torch.nn.functional.linear` in its forward, the product is regularized all the same. Every
other layer that did not run is warned about by name.
"""

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from pernodedrop.calls import call_of, called, has_itself
from pernodedrop.compiling import now, outside_the_graph
from pernodedrop.generators import let_checkpoints_repeat
from pernodedrop.layers.regularizing import Regularizing, Watched
from pernodedrop.takeover import has_own_forward

_READ = (
    "no noise reaches the weights of {names}: in the first training forward {model} read them without calling the "
    "layer, in a way that cannot be regularized. Leave them out by where, or call the layer"
)
_IDLE = (
    "{names} did not run in the first training forward of {model}, so nothing is regularized there yet. Where the "
    "model calls a part of its layers on purpose this is right; else leave them out by where, or call them"
)
_COMPILED = "a layer that a model reads instead of calling is noticed outside the graph: call it, or run uncompiled"


_TRACED = (
    "torch.fx cannot trace a model that reads the weight of {name} instead of calling it, without freezing its noise: "
    "name the module that holds it a leaf of your tracer"
)
_ITSELF = ""  # the name of a layer in the module that it is itself


class _Local(threading.local):
    def __init__(self) -> None:
        self.modes: list[TorchFunctionMode | None] = []  # in this thread, of the modules that hold layers


_HERE = _Local()


class _Hooks:
    """Hooks to be removed together. A copy leaves those whose module is gone, which torch's handles cannot."""

    def __init__(self, *handles: RemovableHandle) -> None:
        self._handles = handles

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def __getstate__(self) -> dict[str, Any]:
        return {"_handles": tuple(each for each in self._handles if each.hooks_dict_ref() is not None)}


class Watch:
    """The first training forward of a model that was regularized; nothing is left of it afterwards.

    Only a module that reads its layers' weights keeps being watched, because its products need it.
    """

    def __init__(self, model: nn.Module, layers: Mapping[str, nn.Linear]) -> None:
        self.ran: set[str] = set()
        self.read: set[str] = set()  # whose weights some function met
        self._layers = dict(layers)
        self._model = type(model).__name__
        self._told = {name: _Told(self, name, layer) for name, layer in layers.items()}
        holders: dict[str, dict[str, str]] = {}
        readable = {name: layer for name, layer in layers.items() if isinstance(layer, Regularizing)}
        for name, layer in readable.items():
            holder, _, own = name.rpartition(".")
            while holder and type(model.get_submodule(holder)).forward is nn.Module.forward:
                holder, _, before = holder.rpartition(".")  # nobody calls a list of modules
                own = f"{before}.{own}"
            holders.setdefault(holder, {})[own] = name
            if has_own_forward(layer):
                holders.setdefault(name, {})[_ITSELF] = name
        self._readers = [_Reader(self, model.get_submodule(name), held) for name, held in holders.items()]
        self._end = _Hooks(model.register_forward_hook(self._ended))  # the last: the model may read weights itself

    def stop(self) -> None:
        """Watch no longer, and no longer regularize what the model computes with the layers' weights."""
        self._end.remove()
        watching: tuple[_Reader | _Told, ...] = (*self._readers, *self._told.values())
        for each in watching:
            each.stop()

    def _ended(self, _model: nn.Module, _inputs: object, _output: object) -> None:
        trained = [name for name, layer in self._layers.items() if layer.training]
        if trained and not (torch.compiler.is_compiling() and self.ran.issuperset(trained)):
            now(Watch._conclude, self, trained)

    @outside_the_graph(_COMPILED)
    def _conclude(self, trained: list[str]) -> None:
        self._end.remove()
        for reader in self._readers:
            if not reader.is_decided and set(trained).issuperset(reader.held.values()):
                reader.stop()
        for told in self._told.values():
            told.stop()
        ran = {self._layers[name] for name in self.ran}  # one that has several names has run by all of them
        missing = [name for name in trained if self._layers[name] not in ran]
        read = [name for name in missing if name in self.read]
        idle = [name for name in missing if name not in self.read]
        if read:
            warnings.warn(_READ.format(names=", ".join(read), model=self._model), stacklevel=2)
        if idle:
            warnings.warn(_IDLE.format(names=", ".join(idle), model=self._model), stacklevel=2)


class _Told:
    """A layer of a watched model tells that it runs, whoever else is told; its copies on other devices do so too."""

    _others: "_Told | None" = None

    def __init__(self, watch: Watch, name: str, layer: nn.Linear) -> None:
        self._watch, self._name, self._layer = watch, name, layer
        if isinstance(layer, Watched):
            self._hooks = _Hooks()
            self._others = vars(layer).get("watcher")
            layer.watcher = self
        else:
            self._hooks = _Hooks(layer.register_forward_pre_hook(self._met))

    def ran(self) -> None:
        self._watch.ran.add(self._name)
        if self._others is not None:
            self._others.ran()

    def _met(self, _layer: nn.Module, _inputs: object) -> None:
        self.ran()

    def stop(self) -> None:
        self._hooks.remove()
        kept = vars(self._layer)
        told: _Told | None = kept.get("watcher")
        if told is self:
            kept["watcher"] = self._others
        while told is not None and told is not self:
            if told._others is self:
                told._others = self._others
            told = told._others
        if kept.get("watcher", self) is None:
            del kept["watcher"]


class _Reader:
    """A module that holds layers, by its own names for them, and may compute with their weights itself."""

    def __init__(self, watch: Watch, holder: nn.Module, held: dict[str, str]) -> None:
        self.watch, self.held = watch, held
        self.is_decided = False
        self.has_read = False
        self._start(holder, self._enter, self._leave)

    def stop(self) -> None:
        self.is_on = False
        self._hooks.remove()

    def layers(self, holder: nn.Module) -> list[tuple[str, Regularizing]]:
        """The regularized layers in the holder, or in its copy on another device, by their names in the model."""
        modules = dict(holder.named_modules(remove_duplicate=False))
        there = ((name, modules.get(own)) for own, name in self.held.items())
        return [(name, layer) for name, layer in there if isinstance(layer, Regularizing)]

    def _start(self, holder: nn.Module, enter: Callable[..., None], leave: Callable[..., None]) -> None:
        self.is_on = True
        self._hooks = _Hooks(
            holder.register_forward_pre_hook(enter, prepend=True),
            holder.register_forward_hook(leave, always_call=True),
        )

    def _enter(self, holder: nn.Module, inputs: object) -> None:
        if not torch.compiler.is_compiling():
            now(_Reader._push, self, holder, inputs)

    def _leave(self, holder: nn.Module, inputs: object, output: object) -> None:
        if not torch.compiler.is_compiling():
            now(_Reader._pop, self, holder, inputs, output)

    @outside_the_graph(_COMPILED)
    def _push(self, holder: nn.Module, inputs: object) -> None:
        layers = self.layers(holder)
        is_wanted = any(layer.is_active for _, layer in layers) and not _are_nested(inputs)
        mode = _Reading(self, holder, layers) if is_wanted else None
        _HERE.modes.append(mode)
        if mode is not None:
            mode.__enter__()  # type: ignore[no-untyped-call]

    @outside_the_graph(_COMPILED)
    def _pop(self, holder: nn.Module, _inputs: object, output: object) -> None:
        mode = _HERE.modes.pop()
        if mode is not None:
            mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        trained = any(cast(nn.Module, layer).training for _, layer in self.layers(holder))
        if self.is_decided or output is None or _is_traced(output) or not trained:
            return
        self.is_decided = True
        self.stop()
        if self.has_read:
            self._start(holder, self._push, self._pop)  # compiled or not


class _Reading(TorchFunctionMode):
    """While a module runs, its products with the weights of its layers are regularized.

    A module that has the weight too, such as a head that is tied to a layer, computes its own product.
    """

    def __init__(self, reader: _Reader, holder: nn.Module, layers: list[tuple[str, Regularizing]]) -> None:
        self._reader, self._holder = reader, holder
        self._weights = [_weight_of(layer) for _, layer in layers]  # held, else a later tensor may have the id of one
        self._layers = {id(weight): layer for weight, layer in zip(self._weights, layers, strict=True)}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.linear:
            input, weight, bias = _linear(*args, **kwargs)  # noqa: A001 - torch's own name
            if id(_met(weight)) in self._layers:
                return now(_Reading._product, self, input, weight, bias)
        if not self._reader.is_decided:
            for value in (*args, *kwargs.values()):
                if id(value) in self._layers:
                    self._reader.watch.read.add(self._layers[id(value)][0])
        return func(*args, **kwargs)

    @outside_the_graph(_COMPILED)
    def _product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        name, layer = self._layers[id(_met(weight))]
        if (caller := called()) is not self._holder and has_itself(caller, _met(weight)):
            return nn.functional.linear(input, weight, bias)
        if _is_traced(input):
            raise RuntimeError(_TRACED.format(name=name))
        self._reader.has_read = True
        self._reader.watch.ran.add(name)
        let_checkpoints_repeat(self._again, call_of(self._holder))
        return layer.product(input, weight.view_as(weight), bias)  # a view, which no reader around takes for its own

    def _again(self) -> "_Reading":
        return _Reading(self._reader, self._holder, self._reader.layers(self._holder))


def _is_traced(value: object) -> bool:
    return isinstance(value, Proxy)


def _met(value: Any) -> object:
    """The value, or the model's tensor for which torch.fx lets another object stand."""
    if not isinstance(value, Proxy) or value.node.op != "get_attr":
        return value
    path, _, name = str(value.node.target).rpartition(".")
    root: nn.Module = value.tracer.root  # type: ignore[attr-defined]
    return root.get_submodule(path)._parameters.get(name)


def _are_nested(inputs: object) -> bool:
    """Whether nn.TransformerEncoder has left out the padding: its attention refuses any function mode then."""
    return isinstance(inputs, tuple) and any(isinstance(x, Tensor) and x.is_nested for x in inputs)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:  # noqa: A002
    return input, weight, bias


def _weight_of(layer: Regularizing) -> object:
    """The layer's weight, or the layer where reading it computes something."""
    return vars(layer)["_parameters"].get("weight", vars(layer).get("weight", layer))
