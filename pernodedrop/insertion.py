"""Regularizers put into a finished model and taken out again, or built into a layer of a new one."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from pernodedrop.generators import check_generator
from pernodedrop.laws import CustomStir
from pernodedrop.layers.regularizing import Regularizing, Watched, must_be_called, stand
from pernodedrop.names import REGULARIZERS, MaskMode
from pernodedrop.objectives import GradientNoise, Objective
from pernodedrop.passes import Passes
from pernodedrop.places import GRADIENT, KINDS
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size
from pernodedrop.takeover import Takeover
from pernodedrop.watch import Watch
from pernodedrop.where import Where, batch_dims, chosen_layers, instead, kinds_of

_stand = stand  # its name in models that earlier releases have pickled


class Regularized:
    """What `regularize` changed: `layers` by name, and `undo()` to make them what they were.

    A regularizer that acts elsewhere than in dense layers has other modules there, and one of the gradient has none.
    """

    def __init__(
        self, model: nn.Module, layers: dict[str, nn.Linear], regularizer: Regularizer, settings: Regularization
    ) -> None:
        self.layers = layers
        self.regularizer = regularizer
        self._settings = settings
        self._model = model
        self._takeovers: dict[nn.Linear, Takeover] = {}
        self._watch: Watch | None = None

    def set_drop_rate(self, rate: float) -> None:
        """Draw with another rate from here on, in every layer.

        Raises:
            ValueError: the rate lies outside [0, 1), or the masks were drawn once for all.
        """
        if self.regularizer.place == GRADIENT:
            raise ValueError(f"{self._settings.regularizer} has no drop rate, got {rate}")
        for layer, takeover in self._takeovers.items():
            if takeover.is_on(layer):
                self.regularizer.set_drop_rate(layer, rate)

    @property
    def passes(self) -> Passes | None:
        """The forward passes that make one prediction of the model; None: one, as it stands."""
        return self.regularizer.passes(list(self.layers.values())) if self.layers else None

    @property
    def objective(self) -> Objective | None:
        """What a training step has to minimize; None: the loss of one forward pass."""
        return self.regularizer.objective(list(self.layers.values()), self._settings) if self.layers else None

    @property
    def gradient_noise(self) -> GradientNoise | None:
        """What a training step has to do between its backward pass and the optimizer's step; None: nothing."""
        return self.regularizer.gradient_noise(self._settings)

    def undo(self, *, merge: bool = True) -> None:
        """Make the layers what they were, wherever they stand now; what they learned and gained meanwhile stays.

        A fixed mask is multiplied into the weight, so that the model predicts as before; `merge=False` drops it.
        What Masksembles computes, one weight cannot: its masks are dropped. A second time changes nothing.

        Raises:
            ValueError: a fixed mask cannot be merged, or a layer has become something else meanwhile.
        """
        self._take_out(merge and self.regularizer.merges)

    def merge(self) -> None:
        """`undo` where plain layers can predict just as the regularized model does in evaluation: to export it.

        Raises:
            ValueError: as `undo`, and where the model evaluates by several masks, or otherwise than plain layers can.
        """
        layers = [layer for layer, takeover in self._takeovers.items() if takeover.is_on(layer)]
        unmerged = self.regularizer.unmerged(layers) if layers else None
        if unmerged is not None:
            raise ValueError(f"{type(self.regularizer).__name__} evaluates {unmerged}: keep it, or undo()")
        self._take_out(self.regularizer.merges)

    def _take_out(self, merging: bool) -> None:
        for layer, takeover in self._takeovers.items():
            takeover.check_back(layer)
        if self._watch is not None:
            self._watch.stop()
        names = {layer: name for name, layer in self.layers.items()}
        for layer, takeover in self._takeovers.items():
            if merging and takeover.is_on(layer):
                self.regularizer.merge(self._model, names[layer], layer)
            takeover.give_back(layer)

    def _put_in(self, made: dict[nn.Linear, nn.Linear]) -> None:
        names = {layer: name for name, layer in self.layers.items()}
        takeovers = {layer: Takeover(names[layer], layer, regularized) for layer, regularized in made.items()}
        for layer, takeover in takeovers.items():
            takeover.lay(layer)
            self.regularizer.settle(layer)
        self._takeovers = takeovers
        if self.regularizer.place == "slot":  # models read the weights of no other layers
            self._watch = Watch(self._model, self.layers)


def regularize(
    model: nn.Module,
    regularizer: str = "pernodedrop",
    where: Where = None,
    *,
    drop_rate: float = 0.5,
    stir_type: str | CustomStir = "bernoulli",
    mask_mode: MaskMode = "dynamic",
    noisy_fraction: float = 1.0,
    share_time: bool | float = True,
    batch_dim: int | None = None,
    backend: str = "auto",
    options: Mapping[str, float | str] | None = None,
    generator: torch.Generator | None = None,
) -> Regularized:
    """Regularizes chosen layers of a model in place: they stay the same modules with the same parameters.

    Some regularizers act elsewhere (see `pernodedrop.places`): `where` chooses among the nn.Identity modules of a
    model, by default those named "map" or "branch", or among its nn.LSTM and nn.GRU, by default all.
    Else `where` chooses: every plain nn.Linear (None), the plain ones whose qualified name matches a pattern such as
    "encoder.*.linear1" or a compiled regular expression, the layer of an exact name or number in nn.Sequential, all of
    a subclass of nn.Linear, a list of these, or those for which a predicate of (name, layer) holds. "pernodedrop" takes
    nn.Conv2d too, by its class, an exact name or number, and where a pattern or predicate holds for no dense layer.
    The output projection of nn.MultiheadAttention is never chosen: torch reads its weights and never calls it.
    `batch_dim` says where the samples lie in inputs (B, T, I), 0 or 1; None asks torch's attentions and recurrences
    around a layer for their `batch_first`, and is 0 where there are none.
    `share_time` is PerNodeDrop's: True gives the positions of a sample one mask, False each its own, a number is the
    correlation of neighbouring positions' masks. Other regularizers ignore it.
    `options` are the regularizer's own settings, for example {"noise": "dropout"} (docs/methods.md lists them). A
    regularizer whose handle has an `objective` needs it in the training step. One that learns its noise adds parameters
    to the layers: make the optimizer afterwards.
    `generator` feeds every draw but that of "dropout", which is torch's own and follows torch's seed.
    A warning names the layers that did not run in the first training forward of the model. See docs/layers.md.

    Raises:
        ValueError: no layer is chosen, a name is unknown, a rate lies outside its range, or a layer takes no
            regularizer; the model is unchanged then.
        TypeError: the model is no nn.Module, or the generator no torch.Generator.
    """
    settings = Regularization(
        regularizer, drop_rate, stir_type, mask_mode, noisy_fraction, share_time, backend, batch_dim, options or {}
    )
    return put_in(model, settings, where, generator=generator)


def put_in(
    model: nn.Module, settings: Regularization, where: Where = None, *, generator: torch.Generator | None = None
) -> Regularized:
    """`regularize` with its settings as one value."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, got {type(model).__name__}: pass the model itself")
    check_generator(generator)
    regularizer: Regularizer = REGULARIZERS[settings.regularizer]()
    chosen: dict[str, nn.Linear] = {}
    if regularizer.place != GRADIENT:
        chosen = chosen_layers(model, where, regularizer.place, regularizer.also)
        if settings.regularizer == "none":
            chosen = {}
        elif not chosen:
            kinds = kinds_of(regularizer.place, () if where is None else regularizer.also)
            is_one = isinstance(model, (*KINDS[regularizer.place], *regularizer.also))
            remedy = ": it is one itself, put it into an nn.Sequential" if is_one else ""
            remedy = remedy or _too_late(model) or instead(model, where, regularizer.also)
            raise ValueError(f"where={where!r} chooses no {kinds} of {type(model).__name__}{remedy}")
    made: dict[nn.Linear, nn.Linear] = {}
    dims = batch_dims(model, chosen)
    for name, linear in chosen.items():
        if linear not in made:
            at = dims[name] if settings.batch_dim is None else settings.batch_dim
            made[linear] = regularizer.made_for(linear, replace(settings, batch_dim=at), generator)
            if not isinstance(made[linear], Watched):
                must_be_called(made[linear])
    regularizer.arrange(list(made.values()))
    changed = Regularized(model, chosen, regularizer, settings)
    if made:
        changed._put_in(made)
    return changed


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
    """A new dense layer (I to J features) with its regularizer; every variant has the same weights.

    In a model that is built for comparisons, use `regularize` when all weights are drawn: here a fixed mask is drawn
    with the layer, and the weights of later layers are other ones for it.

    Raises:
        ValueError: an unknown name, a rate outside its range, a rate that Masksembles has no masks for, or a
            regularizer that acts in what a training step minimizes, which a layer alone cannot.
    """
    settings = Regularization(
        regularizer, drop_rate, stir_type, mask_mode, noisy_fraction, share_time=True, backend=backend
    )
    chosen: Regularizer = REGULARIZERS[regularizer]()
    if type(chosen).objective is not Regularizer.objective:
        raise ValueError(
            f"{regularizer} acts in what a training step minimizes: use regularize(model, ...) and its objective"
        )
    return chosen.slot(Size(in_features, out_features), settings, generator)


def _too_late(model: nn.Module) -> str:
    """The remedy where the model's layers are torch's own already, of whose products nobody can learn."""
    found = [module for module in model.modules() if isinstance(module, torch.jit.ScriptModule)]
    if found:
        return ": regularize it before torch.jit"
    is_quantized = any(".quantized." in type(module).__module__ for module in model.modules())
    return ": regularize it before it is quantized" if is_quantized else ""


def is_plain(layer: nn.Module) -> bool:
    """Return whether the layer is a dense one without a regularizer."""
    return isinstance(layer, nn.Linear) and not isinstance(layer, Regularizing)
