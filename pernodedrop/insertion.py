"""Regularizers put into a finished model, and taken out again."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from pernodedrop.layers.dropconnect import DropConnectLinear
from pernodedrop.layers.input_regularized import InputRegularizedLinear
from pernodedrop.layers.pernode_linear import PerNodeDropLinear
from pernodedrop.names import Backend, MaskMode, Regularizer, StirType
from pernodedrop.slot import feature_regularizer
from pernodedrop.stir import CustomStir

Where = str | type[nn.Linear] | Callable[[str, nn.Linear], bool] | None


class Regularized:
    """What `regularize` changed: `layers` by name, and `undo()` to give the model its own layers back."""

    def __init__(self, model: nn.Module, layers: dict[str, nn.Linear]) -> None:
        self.layers = layers
        self._model = model
        self._originals = {name: model.get_submodule(name) for name in layers}
        for name, layer in layers.items():
            model.set_submodule(name, layer)

    def undo(self) -> None:
        """Restores the model's own layers; what their weights learned meanwhile stays."""
        for name, original in self._originals.items():
            _share(self.layers[name], original)
            self._model.set_submodule(name, original)


def regularize(
    model: nn.Module,
    regularizer: Regularizer = "pernodedrop",
    where: Where = None,
    *,
    drop_rate: float = 0.5,
    stir_type: StirType | CustomStir = "bernoulli",
    mask_mode: MaskMode = "dynamic",
    noisy_fraction: float = 1.0,
    share_time: bool = True,
    backend: Backend = "auto",
    generator: torch.Generator | None = None,
) -> Regularized:
    """Regularizes chosen dense layers of a model in place; their weights stay the very same parameters.

    `where` chooses: every plain nn.Linear (None), the plain ones whose qualified name matches a pattern such as
    "encoder.*.linear1", all of a subclass of nn.Linear, or those for which a predicate of (name, layer) holds.
    The output projection of nn.MultiheadAttention is never chosen: torch reads its weights and never calls it.

    Raises:
        ValueError: no layer is chosen, a name is unknown or a rate lies outside its range.
    """

    def regularized(linear: nn.Linear) -> nn.Linear:
        size = linear.in_features, linear.out_features, linear.bias is not None
        layer: nn.Linear
        if regularizer == "pernodedrop":
            layer = PerNodeDropLinear(
                *size,
                drop_rate=drop_rate,
                stir_type=stir_type,
                mask_mode=mask_mode,
                noisy_fraction=noisy_fraction,
                share_time=share_time,
                backend=backend,
                generator=generator,
                device="meta",
            )
        elif regularizer == "dropconnect":
            layer = DropConnectLinear(*size, drop_rate=drop_rate, generator=generator, device="meta")
        else:
            before = feature_regularizer(regularizer, linear.in_features, drop_rate, generator)
            layer = InputRegularizedLinear(*size, regularizer=before.to(linear.weight.device), device="meta")
        _share(linear, layer)
        if isinstance(layer, PerNodeDropLinear) and layer.mask is not None:
            layer.reset_mask()
        # nn.TransformerEncoderLayer skips forward in evaluation unless a hook stands here
        layer.register_forward_pre_hook(_stand)
        return layer

    if regularizer == "none":
        return Regularized(model, {})
    chosen = _chosen(model, where)
    if not chosen:
        raise ValueError(f"where={where!r} chooses no nn.Linear of {type(model).__name__}")
    once = {linear: regularized(linear) for linear in chosen.values()}  # a layer with two names stays one
    return Regularized(model, {name: once[linear] for name, linear in chosen.items()})


def _chosen(model: nn.Module, where: Where) -> dict[str, nn.Linear]:
    attentions = {name for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)}
    return {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if name and isinstance(module, nn.Linear) and name.rpartition(".")[0] not in attentions
        if _holds(where, name, module)
    }


def _holds(where: Where, name: str, linear: nn.Linear) -> bool:
    if isinstance(where, type):
        return isinstance(linear, where)
    if callable(where):
        return where(name, linear)
    return type(linear) is nn.Linear and (where is None or fnmatchcase(name, where))


def _share(source: nn.Module, target: nn.Module) -> None:
    for name, parameter in source.named_parameters(recurse=False):
        setattr(target, name, parameter)
    target.train(source.training)


def _stand(_module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
    return None
