"""The compared regularizers: what each of them puts in the place of a dense layer.

To add one, write a class in a new file and a line in `pernodedrop.names.REGULARIZERS`.
"""

import abc
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import nn

from pernodedrop.convolutions import regularized_convolution
from pernodedrop.laws import check_drop_rate
from pernodedrop.layers import dropout, gaussian_dropout
from pernodedrop.layers.dropconnect import DropConnectLinear
from pernodedrop.layers.input_regularized import InputRegularizedLinear, SharedNoiseLinear, SharedOverPositions
from pernodedrop.layers.pernode_linear import PerNodeDropLinear
from pernodedrop.layers.stirred import Stirred
from pernodedrop.merging import merge_factors
from pernodedrop.objectives import GradientNoise, Objective
from pernodedrop.passes import Passes
from pernodedrop.regularization import Regularization
from pernodedrop.takeover import is_lazy


class Size(NamedTuple):
    """A dense layer's features and whether it has a bias."""

    in_features: int
    out_features: int
    bias: bool = True


class Regularizer(abc.ABC):
    """A way to regularize a dense layer, which keeps its parameters; a learned noise has its own beside them."""

    noise: ClassVar[Literal["own", "shared"] | None]  # each unit has its own factors, or all units share an input's;
    # None: no law of small noise is known for it, so that it has no explicit penalty
    place: ClassVar[str] = "slot"  # where it acts: see pernodedrop.places
    also: ClassVar[
        tuple[type[nn.Module], ...]
    ] = ()  # what it takes beside the kinds of its place, where it is asked to
    options: ClassVar[Mapping[str, float | str | None]] = {}  # its own settings by name, with their defaults
    merges: ClassVar[bool] = True  # whether plain layers can predict as the regularized ones do in evaluation

    @abc.abstractmethod
    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        """The layer with the regularizer in it; its weights are new and lie on `device`.

        Raises:
            ValueError: the settings do not fit.
        """

    def made_for(self, linear: Any, settings: Regularization, generator: torch.Generator | None) -> Any:
        """A regularized layer whose class and state beside the parameters `linear` is to take over.

        Raises:
            ValueError: the settings do not fit.
        """
        lazy = is_lazy(linear)
        if lazy and self.needs_shape(settings):
            raise ValueError(f"{type(self).__name__} needs to know a layer's features: run the lazy model once before")
        size = Size(1 if lazy else linear.in_features, linear.out_features, linear.bias is not None)
        return self.layer(size, settings, generator, torch.device("meta"))

    def needs_shape(self, settings: Regularization) -> bool:
        """Whether the masks are drawn with the layer, which must know its features then."""
        return False

    def settle(self, layer: nn.Linear) -> None:
        """Draw what is drawn once, when a layer of a finished model has taken over what `made_for` made."""
        return

    def arrange(self, made: Sequence[nn.Module]) -> None:
        """Tell what was made for the layers of one model, in their order, what depends on the others."""
        return

    def merge(self, model: nn.Module, name: str, layer: nn.Linear) -> None:
        """Change the weight of the model's layer so that the plain layer predicts as this one does in evaluation.

        Raises:
            ValueError: the weight cannot hold that.
        """
        return

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        """Draw with another rate from the layer's next forward pass on.

        Raises:
            ValueError: the rate lies outside [0, 1), or the masks were drawn once and stay.
        """
        raise self._unchangeable(rate)

    def _unchangeable(self, rate: float) -> ValueError:
        return ValueError(f"{type(self).__name__} draws its masks once: its drop rate must stay, got {rate}")

    def passes(self, layers: Sequence[nn.Linear]) -> Passes | None:
        """The forward passes that make one prediction by these layers; None: one, as it stands."""
        return None

    def unmerged(self, layers: Sequence[nn.Linear]) -> str | None:
        """How these layers evaluate where plain ones cannot predict as they do, in words; None: plain ones can."""
        return None

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective | None:
        """What a training step minimizes with these layers; None: the loss of one forward pass, as it stands."""
        return None

    def gradient_noise(self, settings: Regularization) -> GradientNoise | None:
        """What is added to the gradient before the optimizer's step; None: nothing."""
        return None

    def option(self, settings: Regularization, name: str) -> Any:
        """The chosen value of one of the `options`, or its default."""
        return settings.options.get(name, self.options[name])

    def slot(self, size: Size, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        """A new dense layer with the regularizer in it, or in front of it."""
        return self.layer(size, settings, generator, None)


class NoRegularizer(Regularizer):
    """The dense layer, unchanged."""

    noise = None

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        return nn.Linear(*size, device=device)

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        check_drop_rate(rate)


class PerNodeDrop(Regularizer):
    """A separate mask for every sample and unit (arXiv:2512.12663), or for every group of samples.

    The option `mask_groups` cuts the batch: 1 is DropConnect, which here shares its mask over the positions as
    PerNodeDrop does; None gives each sample its own. `time_correlation` is a number for `share_time`, None leaves that
    as it is. See `functional.pernode_linear`.
    """

    noise = "own"
    also = (nn.Conv2d,)
    options: ClassVar[Mapping[str, float | str | None]] = {"mask_groups": None, "time_correlation": None}

    def made_for(self, linear: Any, settings: Regularization, generator: torch.Generator | None) -> Any:
        if isinstance(linear, nn.Conv2d):
            share_time, groups = self._share_time(settings), self.option(settings, "mask_groups")
            return regularized_convolution(
                linear, settings, share_time=share_time, mask_groups=groups, generator=generator
            )
        return super().made_for(linear, settings, generator)

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        return PerNodeDropLinear(
            *size,
            drop_rate=settings.drop_rate,
            stir_type=settings.stir_type,
            mask_mode=settings.mask_mode,
            noisy_fraction=settings.noisy_fraction,
            share_time=self._share_time(settings),
            mask_groups=self.option(settings, "mask_groups"),
            batch_dim=settings.batch_dim or 0,
            backend=settings.backend,
            generator=generator,
            device=device,
        )

    def _share_time(self, settings: Regularization) -> bool | float:
        correlation = self.option(settings, "time_correlation")
        return settings.share_time if correlation is None else correlation

    def needs_shape(self, settings: Regularization) -> bool:
        return settings.mask_mode == "fixed"

    def settle(self, layer: nn.Module) -> None:
        if isinstance(layer, PerNodeDropLinear) and layer.mask is not None:
            layer.reset_mask()  # where the weights are

    def merge(self, model: nn.Module, name: str, layer: nn.Module) -> None:
        if isinstance(layer, PerNodeDropLinear) and layer.mask is not None:
            merge_factors(model, name, layer, layer.mask)

    def set_drop_rate(self, layer: nn.Module, rate: float) -> None:
        assert isinstance(layer, Stirred)
        layer.drop_rate = rate


class DropConnect(Regularizer):
    """One mask of the weights a step, for the whole batch (Wan et al. 2013)."""

    noise = "own"

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        return DropConnectLinear(*size, drop_rate=settings.drop_rate, generator=generator, device=device)

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        assert isinstance(layer, DropConnectLinear)
        check_drop_rate(rate)
        layer.drop_rate = rate


class InputRegularizer(Regularizer):
    """A regularizer that acts on the features in front of a dense layer."""

    noise: ClassVar[Literal["own", "shared"] | None] = "shared"

    @abc.abstractmethod
    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        """The module through which the features (B, ..., I) pass."""

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        before = self.module(size.in_features, settings, generator)
        return InputRegularizedLinear(*size, regularizer=before, device=device)

    def made_for(self, linear: nn.Linear, settings: Regularization, generator: torch.Generator | None) -> nn.Linear:
        layer = super().made_for(linear, settings, generator)
        assert isinstance(layer, InputRegularizedLinear)
        layer.regularizer.to(next(linear.parameters()).device)
        if isinstance(linear, SharedNoiseLinear):
            layer.regularizer = SharedOverPositions(layer.regularizer, settings.batch_dim or 0)
        layer.regularizer.train(linear.training)
        return layer

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        assert isinstance(layer, InputRegularizedLinear)
        check_drop_rate(rate)
        module = layer.regularizer
        self.set_rate_of(module.regularizer if isinstance(module, SharedOverPositions) else module, rate)

    def set_rate_of(self, module: nn.Module, rate: float) -> None:
        """Set the rate, one in [0, 1), of a module that `module` has made."""
        raise self._unchangeable(rate)

    def slot(self, size: Size, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        before = self.module(size.in_features, settings, generator)
        return nn.Sequential(OrderedDict(regularizer=before, dense=nn.Linear(*size)))


class Dropout(InputRegularizer):
    """torch's own, which follows torch's seed and ignores the generator (Srivastava et al. 2014)."""

    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        return dropout.Dropout(settings.drop_rate)

    def set_rate_of(self, module: nn.Module, rate: float) -> None:
        assert isinstance(module, nn.Dropout)
        module.p = rate


class GaussianDropout(InputRegularizer):
    """x * N(1, p / (1 - p)) (Srivastava et al. 2014, section 10)."""

    def module(self, features: int, settings: Regularization, generator: torch.Generator | None) -> nn.Module:
        return gaussian_dropout.GaussianDropout(settings.drop_rate, generator=generator)

    def set_rate_of(self, module: nn.Module, rate: float) -> None:
        assert isinstance(module, gaussian_dropout.GaussianDropout)
        module.drop_rate = rate


def __getattr__(name: str) -> Any:
    if name == "Masksembles":  # its home in handles that earlier releases have pickled
        return import_module("pernodedrop.methods.masksembles").Masksembles
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
