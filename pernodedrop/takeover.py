"""A dense layer that is made a regularized one, and given back: the same module all along.

Whatever hangs on a layer stays where it is: its parameters and what computes them (pruning, weight normalization,
parametrizations), hooks, attributes, its name and everybody who holds it. Only its class changes, and it gains what
the regularized layer keeps beside a dense layer's own.
"""

import sys
from collections.abc import Sequence
from typing import Any

from torch import nn

from pernodedrop.layers.noisy import DropoutSwitch, Noisy, leaf
from pernodedrop.layers.regularizing import Regularizing, Watched
from pernodedrop.parametrized import unparametrized, with_base

_OWN = frozenset(vars(nn.Linear(1, 1, device="meta")))  # what every dense layer keeps
_OWN_OF_CONVOLUTION = frozenset(vars(nn.Conv2d(1, 1, 1, device="meta")))
_OWN_OF_RECURRENCE = frozenset(vars(nn.LSTM(1, 1, device="meta")))
_HELD = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks")  # what a regularized layer adds to
_SHARED = ("weight", "bias")
_STACK = "_takeovers"  # of a layer, the latest last


class Takeover:
    """What a layer gains by one regularizer.

    Raises:
        ValueError: the layer has something of that name already, or a class that cannot be joined with another.
    """

    def __init__(self, name: str, layer: nn.Linear, made: nn.Module) -> None:
        self._name = name
        self._kind: type[Any] = type(made)
        own: frozenset[str] = _OWN
        shared: Sequence[str] = _SHARED
        if isinstance(made, nn.Conv2d):
            own = _OWN_OF_CONVOLUTION
        if isinstance(made, nn.RNNBase):
            own, shared = _OWN_OF_RECURRENCE, made._flat_weights_names
        self._gained: dict[str, dict[str, Any]] = {"": {k: v for k, v in vars(made).items() if k not in own}}
        self._gained |= {held: {k: v for k, v in vars(made)[held].items() if k not in shared} for held in _HELD}
        self._transient = made._non_persistent_buffers_set
        self._bases: list[type[nn.Linear]] = []  # what the layer may be made of, once it is no lazy one any more too
        self._check(layer)

    def lay(self, layer: nn.Linear) -> None:
        """Make the layer a regularized one; the regularizer below, if any, rests."""
        stack = _stack(layer)
        if stack:
            stack[-1].lift(layer)
        self._lay(layer)
        vars(layer)[_STACK] = [*stack, self]

    def is_on(self, layer: nn.Linear) -> bool:
        """Whether the layer is regularized by this."""
        return _stack(layer)[-1:] == [self]

    def check_back(self, layer: nn.Linear) -> None:
        """Raises ValueError where the layer has become something that `give_back` refuses."""
        if self.is_on(layer):
            check_whole(self._name, layer)
            with_base(type(layer), self._left)

    def give_back(self, layer: nn.Linear) -> None:
        """Make the layer what it was, with all that it has learned and gained meanwhile. A second time does nothing.

        Raises:
            ValueError: the layer has become something else meanwhile.
        """
        stack = _stack(layer)
        if self not in stack:
            return
        if self.is_on(layer):
            self.lift(layer)
            for below in stack[-2:-1]:
                below._lay(layer)
        vars(layer)[_STACK] = [other for other in stack if other is not self]
        if not vars(layer)[_STACK]:
            del vars(layer)[_STACK]

    def lift(self, layer: nn.Linear) -> None:
        """Take from the layer what it has gained; `lay` puts the same back."""
        layer.__class__ = with_base(type(layer), self._left)
        for held, gained in self._gained.items():
            place = vars(layer)[held] if held else vars(layer)
            self._gained[held] = {key: place.pop(key) for key in gained if key in place}

    def _lay(self, layer: nn.Linear) -> None:
        if is_lazy(layer):
            self._gained[""]["cls_to_become"] = self._joined(type(layer).cls_to_become)  # type: ignore[attr-defined]
        layer.__class__ = with_base(type(layer), self._joined)
        for held, gained in self._gained.items():
            (vars(layer)[held] if held else vars(layer)).update(gained)
            self._gained[held] = dict.fromkeys(gained)
        layer._non_persistent_buffers_set |= self._transient
        for module in layer._modules.values():
            if isinstance(module, DropoutSwitch) and isinstance(layer, Noisy):
                module.belong_to(layer)

    def _check(self, layer: nn.Linear) -> None:
        below = _stack(layer)
        if not below:
            if isinstance(layer, Watched):
                raise ValueError(f"layer {self._name!r} is a {type(layer).__name__} already: leave it out by where")
            if not _is_seen(layer):
                raise ValueError(
                    f"layer {self._name!r} is a {type(layer).__name__}, whose forward is its own, and noise cannot be "
                    "put into what it computes: leave it out by where"
                )
            with_base(type(layer), self._joined)
        there = {*vars(layer), *layer._buffers, *layer._modules, *layer._parameters}
        wanted = self._names()
        for other in below:
            wanted -= other._names()
        if taken := sorted(there & wanted):
            raise ValueError(
                f"layer {self._name!r} has a {taken[0]!r} of its own, which {self._kind.__name__} needs: "
                "rename it, or leave the layer out by where"
            )

    def _names(self) -> set[str]:
        held = ("", "_parameters", "_buffers", "_modules")  # without parameters where an earlier release has pickled it
        return {name for each in held for name in self._gained.get(each, ())}

    def _joined(self, base: type[nn.Linear]) -> type[nn.Linear]:
        try:
            joined = _joined(base, self._kind)
        except TypeError as error:
            raise ValueError(
                f"layer {self._name!r} is a {base.__name__}, whose class takes no regularizer ({error}): "
                "leave it out by where"
            ) from error
        self._bases.append(base)
        return joined

    def _left(self, kind: type[nn.Linear]) -> type[nn.Linear]:
        for base in self._bases:
            if _joined(base, self._kind) is kind:
                return base
        raise ValueError(f"layer {self._name!r} has become a {kind.__name__} since it was regularized: undo that first")


def check_whole(name: str, layer: nn.Linear) -> None:
    """Raises ValueError where other processes hold parts of the layer."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    held = fsdp is not None and isinstance(layer, fsdp.FSDPModule)
    parts = {type(parameter).__name__ for parameter in layer.parameters()} & {"DTensor", "FlatParameter"}
    is_gone = isinstance(layer, nn.Linear | nn.Conv2d) and not (
        hasattr(layer, "weight") or nn.utils.parametrize.is_parametrized(layer)
    )
    if held or parts or is_gone:
        raise ValueError(
            f"layer {name!r} is sharded, and this process holds a part of it: change the model before it is sharded"
        )


def is_lazy(layer: nn.Module) -> bool:
    """Whether the layer's shape is not known yet."""
    return isinstance(layer, nn.LazyLinear | nn.LazyConv2d)


def own_class(layer: nn.Module) -> type[nn.Module]:
    """The layer's class but for torch's parametrizations, which make a new one for every layer."""
    return unparametrized(type(layer))


def _is_seen(layer: nn.Module) -> bool:
    """Whether noise reaches what the layer computes: a convolution must compute what nn.Conv2d does."""
    if not isinstance(layer, nn.Conv2d):
        return True
    names = ("forward", "_conv_forward")
    return all(name not in vars(layer) and getattr(type(layer), name) is getattr(nn.Conv2d, name) for name in names)


def has_own_forward(layer: nn.Linear) -> bool:
    """Whether a forward that is not ours runs when the layer is called, and may compute with its weight itself."""
    base, kind = getattr(type(layer), "_made_of", (nn.Linear, None))
    within = base.forward is not nn.Linear.forward and not getattr(kind, "acts_on_input", False)
    return within or "forward" in vars(layer)


def computes_its_own(layer: nn.Linear) -> bool:
    """Whether the layer computes something else than nn.Linear, but for a regularizer of ours."""
    regularized = isinstance(layer, Regularizing)
    base = getattr(type(layer), "_made_of", (nn.Linear if regularized else type(layer), None))[0]
    return base.forward is not nn.Linear.forward or "forward" in vars(layer)


_JOINED: dict[tuple[type[nn.Linear], type[nn.Linear]], type[nn.Linear]] = {}


def _joined(base: type[nn.Linear], kind: type[nn.Linear]) -> type[nn.Linear]:
    """A dense layer of both classes: the regularizer acts in front of the base's own forward, or within it. Where the
    base has none, the regularizer's forward is the layer's."""
    if base in kind.__mro__:
        return kind
    if (base, kind) in _JOINED:
        return _JOINED[base, kind]
    has_own = all(base.forward is not vars(parent).get("forward") for parent in kind.__mro__)
    is_within = has_own and not getattr(kind, "acts_on_input", False)
    first, second = (base, kind) if is_within else (kind, base)
    name = f"{kind.__name__}_{base.__name__}"
    forward = leaf(first.forward)  # around both, else torch.fx would trace one and call it again within the other
    own = {"__module__": __name__, "__reduce_ex__": _reduce, "_made_of": (base, kind), "forward": forward}
    return _JOINED.setdefault((base, kind), type(name, (first, second), own))


def _reduce(layer: nn.Linear, _protocol: object) -> tuple[Any, ...]:
    state: dict[str, Any] = layer.__getstate__()  # type: ignore[no-untyped-call]
    return _empty, layer._made_of, state


def _empty(base: type[nn.Linear], kind: type[nn.Linear]) -> nn.Linear:
    joined = _joined(base, kind)
    return joined.__new__(joined)


def _stack(layer: nn.Linear) -> list[Takeover]:
    stack: list[Takeover] = vars(layer).get(_STACK, [])
    return stack
