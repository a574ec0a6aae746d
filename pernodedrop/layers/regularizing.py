"""What every regularized dense layer promises: it is called where torch would read its weights, and can be asked to
regularize a product that somebody else computes with them.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.utils.hooks import RemovableHandle


class Watcher(Protocol):
    """Who wants to know that a layer runs."""

    def ran(self) -> None:
        """The layer has run."""


class Watched:
    """A layer with a regularizer in it, as a base beside torch's own."""

    watcher: Watcher | None = None  # as long as somebody has to know that the layer runs


class Regularizing(Watched):
    """A dense layer with a regularizer in it, as a base beside nn.Linear."""

    acts_on_input: ClassVar[bool] = False  # in front of a forward of the layer's own class, not within it
    own: ClassVar[tuple[str, ...]] = ()  # names of the parameters and buffers beside a dense layer's, if any

    @property
    def is_active(self) -> bool:
        """Whether the layer computes anything but the dense product as it stands."""
        raise NotImplementedError

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        """The regularized product of input (..., I), weight (J, I) and bias (J,) or None, as the layer stands."""
        raise NotImplementedError


def watched(forward: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """The forward of a regularized layer, which tells its watcher, if any, that it runs."""

    @functools.wraps(forward)
    def told(self: Any, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own
        _check_tensor(input)
        if self.watcher is not None:
            self.watcher.ran()
        return forward(self, input)

    return told


def _check_tensor(given: object) -> None:
    """Raises TypeError where torch's own functions would."""
    if isinstance(given, Tensor) or hasattr(type(given), "__torch_function__"):
        return
    packed = isinstance(given, nn.utils.rnn.PackedSequence)
    remedy = "pad it by torch.nn.utils.rnn.pad_packed_sequence" if packed else "call torch.as_tensor"
    raise TypeError(f"x must be a tensor, got {type(given).__name__}: {remedy}")


def own_weight(layer: nn.Linear) -> Tensor:
    """The layer's weight for its own product: a view, which nobody who regularizes what a model reads takes for it.

    It is a view in every call, watched or not: another graph would add up the weight's gradient in another order.
    """
    weight = layer.weight
    return weight.view_as(weight)


def noise_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that regularizers have brought: of the noise that they learn, not of what the model computes."""
    layers = [module for module in model.modules() if isinstance(module, Regularizing)]
    held = (layer._parameters.get(name) for layer in layers for name in layer.own)
    return [parameter for parameter in held if parameter is not None]


def must_be_called(module: nn.Module) -> RemovableHandle:
    """Keep torch's fused inference from reading the module's weights, or passing it over, instead of calling it.

    nn.TransformerEncoderLayer calls its parts one by one as soon as one of them has a hook.
    """
    return module.register_forward_pre_hook(stand)


def has_hooks(module: nn.Module) -> bool:
    """Whether hooks that are not this package's run when the module is called."""
    hooks = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return any(not (getattr(hook, "__module__", None) or "").startswith("pernodedrop.") for hook in hooks)


def reads_out_proj(module: nn.Module) -> bool:
    """Whether the module reads the weights of its `out_proj` and never calls it."""
    return isinstance(module, nn.MultiheadAttention) and type(module).forward == nn.MultiheadAttention.forward


def stand(_module: nn.Module, _inputs: tuple[Any, ...]) -> None:
    """A hook that does nothing but be there."""


def _refuse_out_proj(module: nn.Module, name: str, child: nn.Module | None) -> None:
    if name == "out_proj" and reads_out_proj(module) and isinstance(child, Regularizing):
        raise ValueError(
            "out_proj of nn.MultiheadAttention must be a plain nn.Linear: torch reads its weight and never calls it, "
            f"so {type(child).__name__} would have no effect; regularize a layer before or after the attention"
        )


register_module_module_registration_hook(_refuse_out_proj)
