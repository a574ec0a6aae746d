"""What the layers that draw noise have in common: when they draw, their rate, their copies, and how they are traced."""

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from pernodedrop.generators import copied
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers.regularizing import has_hooks
from pernodedrop.parametrized import state_of
from pernodedrop.rates import as_number

Args = ParamSpec("Args")
Layer = TypeVar("Layer", bound=nn.Module)
SWITCH = "noise"


def leaf(forward: Callable[Concatenate[Layer, Args], Tensor]) -> Callable[Concatenate[Layer, Args], Tensor]:
    """A layer's forward that torch.fx takes as one call of the layer: traced through, its noise would be frozen."""

    @wraps(forward)
    def called(self: Layer, *args: Args.args, **kwargs: Args.kwargs) -> Tensor:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Proxy):
                _check_alone(self)
                path = value.tracer.path_of_module(self)  # type: ignore[attr-defined]
                traced: Any = value.tracer.create_proxy("call_module", path, args, kwargs)
                return traced  # type: ignore[no-any-return]
        return forward(self, *args, **kwargs)

    return called  # type: ignore[return-value]


def _check_alone(layer: nn.Module) -> None:
    if has_hooks(layer) or "forward" in vars(layer):
        raise RuntimeError(
            f"torch.fx would run the hooks of {type(layer).__name__} twice: "
            "trace the model before they are added, or name the class a leaf of your tracer"
        )


class Unscriptable(nn.Module):
    """A layer that torch.jit.script cannot compile, and says so in one line."""

    def __prepare_scriptable__(self) -> "Unscriptable":
        raise RuntimeError(f"torch.jit.script cannot compile {type(self).__name__}: use torch.compile or torch.export")


class DrawnOnce(nn.Module):
    """A layer whose buffers named in `drawn` hold what was drawn once.

    `to_empty`, and so `skip_init`, leaves them undefined. Brought from device "meta" they are drawn again: who fills
    the parameters by hand does not know them.
    """

    drawn: ClassVar[tuple[str, ...]] = ()

    def draw_again(self) -> None:
        """Draw them again, where they lie."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        were_meta = self._are_meta()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if were_meta and not self._are_meta():
            self.draw_again()
        return self

    def _are_meta(self) -> bool:
        held = (self._buffers.get(name) for name in self.drawn)
        return any(buffer is not None and buffer.is_meta for buffer in held)


class DropoutSwitch(nn.Dropout):
    """Lies in a layer that draws noise, so that code that looks for dropout by its class finds the layer.

    Put into training mode by itself, it lets its layer draw in evaluation, as Monte Carlo dropout asks of nn.Dropout.
    Its rate `p` is the layer's.
    """

    def __init__(self, layer: "Noisy") -> None:
        nn.Module.__init__(self)
        self.inplace = False
        self.is_alone = False  # in training mode, its layer not
        self._layer = (layer,)  # in a tuple: no submodule

    def belong_to(self, layer: "Noisy") -> None:
        """Be the switch of another layer, in that layer's mode."""
        self._layer = (layer,)
        nn.Module.train(self, layer.training)

    @property
    def p(self) -> float:
        """The layer's drop rate; raises as the layer where it cannot be set."""
        return self._layer[0].drop_rate

    @p.setter
    def p(self, rate: float) -> None:
        self._layer[0].drop_rate = rate

    def train(self, mode: bool = True) -> "DropoutSwitch":
        """As nn.Module's; True lets the layer draw, until the layer's own mode is set."""
        self.is_alone = mode
        super().train(mode)
        return self

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Dropout's own name
        return input


class Drawing(Unscriptable):
    """A layer for which random numbers are drawn, by a generator of its own where it has one.

    A deep copy has another generator, so that it draws other numbers. It may share one with the copies of layers that
    shared it before.
    """

    generator: torch.Generator | None

    def __deepcopy__(self, memo: dict[int, Any]) -> "Drawing":
        if self.generator is not None:
            memo[id(self.generator)] = copied(self.generator, memo)
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(state_of(self), memo))  # type: ignore[no-untyped-call]
        return twin


class Noisy(Drawing):
    """A layer that draws noise in training."""

    _drop_rate: float

    @property
    def drop_rate(self) -> float:
        """The drop rate of the next draw, in [0, 1).

        Raises:
            ValueError: it is set outside [0, 1), or what was drawn once stays.
        """
        return self._drop_rate

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        check_drop_rate(rate)
        self._drop_rate = as_number(rate)

    def add_switch(self) -> None:
        """Let code that looks for dropout find the layer; once, when the layer is built."""
        self.add_module(SWITCH, DropoutSwitch(self))

    @property
    def draws(self) -> bool:
        """Return whether the next forward draws noise."""
        return self.training or getattr(self._modules.get(SWITCH), "is_alone", False)

    def train(self, mode: bool = True) -> "Noisy":
        """As nn.Module's."""
        super().train(mode)
        switch = self._modules.get(SWITCH)
        if isinstance(switch, DropoutSwitch):
            switch.is_alone = False
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        rate = state.pop("drop_rate", None)  # a layer pickled by an earlier release
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if rate is not None:
            self._drop_rate = rate
        if SWITCH not in self._modules and getattr(self, "mask", None) is None:
            self.add_switch()

    def __repr__(self) -> str:
        if [*self._modules] != [SWITCH]:
            return super().__repr__()
        return f"{type(self).__name__}({self.extra_repr()})"  # without the switch
