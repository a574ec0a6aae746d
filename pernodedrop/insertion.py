"""Regularizers put into a finished model and taken out again, or built into a layer of a new one."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from pernodedrop.laws import CustomStir
from pernodedrop.layers.dropconnect import DropConnectLinear
from pernodedrop.layers.input_regularized import InputRegularizedLinear
from pernodedrop.layers.pernode_linear import PerNodeDropLinear
from pernodedrop.names import REGULARIZERS, MaskMode
from pernodedrop.passes import Passes
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size, share_parameters

Where = str | type[nn.Linear] | Callable[[str, nn.Linear], bool] | None


class Regularized:
    """What `regularize` changed: `layers` by name, and `undo()` to give the model its own layers back."""

    def __init__(self, model: nn.Module, layers: dict[str, nn.Linear], regularizer: Regularizer) -> None:
        self.layers = layers
        self.regularizer = regularizer
        self._model = model
        self._originals = {name: model.get_submodule(name) for name in layers}
        for name, layer in layers.items():
            model.set_submodule(name, layer)

    def set_drop_rate(self, rate: float) -> None:
        """Draw with another rate from here on, in every layer.

        Raises:
            ValueError: the rate lies outside [0, 1), or the masks were drawn once for all.
        """
        for layer in set(self.layers.values()):
            self.regularizer.set_drop_rate(layer, rate)

    @property
    def passes(self) -> Passes | None:
        """The forward passes that make one prediction of the model; None: one, as it stands."""
        return self.regularizer.passes(list(self.layers.values())) if self.layers else None

    def undo(self) -> None:
        """Restores the model's own layers; what their weights learned meanwhile stays."""
        for name, original in self._originals.items():
            share_parameters(self.layers[name], original)
            self._model.set_submodule(name, original)


def regularize(
    model: nn.Module,
    regularizer: str = "pernodedrop",
    where: Where = None,
    *,
    drop_rate: float = 0.5,
    stir_type: str | CustomStir = "bernoulli",
    mask_mode: MaskMode = "dynamic",
    noisy_fraction: float = 1.0,
    share_time: bool = True,
    backend: str = "auto",
    generator: torch.Generator | None = None,
) -> Regularized:
    """Regularizes chosen dense layers of a model in place; their weights stay the very same parameters.

    `where` chooses: every plain nn.Linear (None), the plain ones whose qualified name matches a pattern such as
    "encoder.*.linear1", all of a subclass of nn.Linear, or those for which a predicate of (name, layer) holds.
    The output projection of nn.MultiheadAttention is never chosen: torch reads its weights and never calls it.
    `generator` feeds every draw but that of "dropout", which is torch's own and follows torch's seed.

    Raises:
        ValueError: no layer is chosen, a name is unknown or a rate lies outside its range.
    """
    settings = Regularization(regularizer, drop_rate, stir_type, mask_mode, noisy_fraction, share_time, backend)
    return put_in(model, settings, where, generator=generator)


def put_in(
    model: nn.Module, settings: Regularization, where: Where = None, *, generator: torch.Generator | None = None
) -> Regularized:
    """`regularize` with its settings as one value."""
    regularizer: Regularizer = REGULARIZERS[settings.regularizer]()
    chosen = _chosen(model, where)
    if not chosen and settings.regularizer != "none":
        raise ValueError(f"where={where!r} chooses no nn.Linear of {type(model).__name__}")
    once = {linear: regularizer.replacing(linear, settings, generator) for linear in chosen.values()}
    changed = {name: once[linear] for name, linear in chosen.items() if once[linear] is not linear}
    for layer in changed.values():
        # nn.TransformerEncoderLayer skips forward in evaluation unless a hook stands here
        layer.register_forward_pre_hook(_stand)
    return Regularized(model, changed, regularizer)


def regularized_linear(
    regularizer: str,
    in_features: int,
    out_features: int,
    *,
    drop_rate: float = 0.5,
    stir_type: str | CustomStir = "bernoulli",
    mask_mode: MaskMode = "dynamic",
    noisy_fraction: float = 1.0,
    backend: str = "auto",
    generator: torch.Generator | None = None,
) -> nn.Module:
    """A new dense layer (I to J features) with its regularizer; every variant has the same parameters.

    In a model that is built for comparisons, use `regularize` when all weights are drawn: here a fixed mask is drawn
    with the layer, and the weights of later layers are other ones for it.

    Raises:
        ValueError: an unknown name, a rate outside its range, or a rate that Masksembles has no masks for.
    """
    settings = Regularization(
        regularizer, drop_rate, stir_type, mask_mode, noisy_fraction, share_time=True, backend=backend
    )
    chosen: Regularizer = REGULARIZERS[regularizer]()
    return chosen.slot(Size(in_features, out_features), settings, generator)


def is_plain(layer: nn.Module) -> bool:
    """Return whether the layer is a dense one without a regularizer."""
    regularized = isinstance(layer, PerNodeDropLinear | DropConnectLinear | InputRegularizedLinear)
    return isinstance(layer, nn.Linear) and not regularized


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


def _stand(_module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
    return None
