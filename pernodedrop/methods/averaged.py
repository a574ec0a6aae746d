"""The mean gradient of k masks, and noise that is added to it again (Wei, Kakade, Ma 2020, arXiv:2002.12915)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pernodedrop.laws import noise_variance
from pernodedrop.layers.dropconnect import DropConnectLinear
from pernodedrop.layers.input_regularized import InputRegularizedLinear, SharedOverPositions
from pernodedrop.layers.pernode_linear import PerNodeDropLinear
from pernodedrop.methods import effects
from pernodedrop.methods.around import Around
from pernodedrop.methods.observed import Call, Noise, Observation
from pernodedrop.methods.twice import check_differentiable, differentiable_twice, leaves_of
from pernodedrop.objectives import Objective, Step
from pernodedrop.regularization import Regularization

ADDED = ("none", "masks", "shared_masks", "isotropic", "approximate")
MOST_MASKS = 256


class Averaged(Around):
    """Dropout_k: a step has the mean gradient of `masks` = k passes, each under masks of its own.

    The expected loss is that of one mask, and the covariance of the masks' noise in the gradient is divided by k.
    `added_noise` restores it: "masks" adds sqrt(1 - 1/k) (g' - g'') / sqrt(2), g' and g'' the gradients of two further
    passes; "shared_masks" does so with masks that the batch shares, which is DropConnect's noise (PerNodeDrop only);
    "isotropic" adds Gaussian noise of that expected length, so of the same trace, alike in every direction;
    "approximate" adds sqrt(1 - 1/k) times the implicit effect of a dense pass. The loss of a step is the mean of the k
    passes all the same. A step keeps the graph of one pass at a time. One mask is the noise itself.

    Raises:
        ValueError: k is no whole number in [1, 256], the noise or what is added is unknown, the masks are fixed, or
            the noise has no masks that a batch could share.
    """

    options: ClassVar[Mapping[str, float | str]] = {**Around.options, "masks": 4, "added_noise": "none"}
    _is_checked = False

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        masks, added = self.option(settings, "masks"), self.option(settings, "added_noise")
        if masks not in range(1, MOST_MASKS + 1):
            raise ValueError(f"masks must be a whole number in [1, {MOST_MASKS}], got {masks!r}")
        if added not in ADDED:
            raise ValueError(f"added_noise must be one of {', '.join(ADDED)}, got {added!r}")
        if any(getattr(layer, "mask", None) is not None for layer in layers):
            raise ValueError('averaged needs masks that differ from pass to pass: say mask_mode "dynamic"')
        if added == "shared_masks" and not all(isinstance(layer, PerNodeDropLinear) for layer in layers):
            raise ValueError(
                f'added_noise "shared_masks" needs noise "pernodedrop", got {self.option(settings, "noise")!r}'
            )
        if added == "approximate" and not all(isinstance(getattr(each, "share_time", True), bool) for each in layers):
            raise ValueError('added_noise "approximate" knows masks with share_time True or False: choose another')
        share = math.sqrt(1.0 - 1.0 / masks)

        def average(step: Step) -> Tensor:
            if masks == 1:
                return step.loss(step.forward())
            mean = _MeanGradient()
            for _ in range(int(masks)):
                mean.add(step.loss(step.forward()), 1.0 / masks)
            if added in ("masks", "shared_masks"):
                with _one_group(layers) if added == "shared_masks" else nullcontext():
                    for sign in (1.0, -1.0):
                        mean.add(effects.only_gradient(step.loss(step.forward())), sign * share / math.sqrt(2.0))
            elif added == "isotropic":
                two = _MeanGradient()
                for sign in (1.0, -1.0):
                    two.add(effects.only_gradient(step.loss(step.forward())), sign * share / math.sqrt(2.0))
                mean.add_of_size(two)
            elif added == "approximate":
                mean.add(effects.only_gradient(self._approximate(step, layers)), share)
            return mean.loss()

        return average

    def _approximate(self, step: Step, layers: Sequence[nn.Linear]) -> Tensor:
        """The implicit effect by a dense pass; a scalar."""
        with differentiable_twice(next(layers[0].parameters()).device), _dense(layers) as calls:
            loss = step.loss(step.forward())
        with torch.autocast(loss.device.type, enabled=False):
            term = effects.implicit(loss, calls)
        if not self._is_checked:
            check_differentiable(term, "averaged with added_noise approximate")
            self._is_checked = True
        return term


class _MeanGradient:
    """Terms of a loss and the sum of their gradients, each by itself, so that only one graph is kept."""

    def __init__(self) -> None:
        self._value: Tensor | float = 0.0
        self._gradients: dict[Tensor, Tensor] = {}

    def add(self, term: Tensor, weight: float) -> None:
        """Add weight times a term, a scalar; its graph is used up."""
        self._value = self._value + weight * term.detach()
        leaves = leaves_of(term)
        gradients = torch.autograd.grad(weight * term, leaves, allow_unused=True)
        for leaf, gradient in zip(leaves, gradients, strict=True):
            if gradient is not None:
                self._gradients[leaf] = self._gradients[leaf] + gradient if leaf in self._gradients else gradient

    def add_of_size(self, other: "_MeanGradient") -> None:
        """Add Gaussian noise to the gradient: its expected squared length is the other's, alike in every direction."""
        numbers = sum(gradient.numel() for gradient in other._gradients.values())
        squares = [gradient.square().sum() for gradient in other._gradients.values()]
        deviation = (torch.stack(squares).sum() / numbers).sqrt()
        for leaf, gradient in other._gradients.items():
            self._gradients[leaf] = self._gradients[leaf] + deviation * torch.randn_like(gradient)

    def loss(self) -> Tensor:
        """A scalar with the sum's value and gradient."""
        total = torch.as_tensor(self._value)
        for leaf, gradient in self._gradients.items():
            total = total + ((leaf - leaf.detach()) * gradient).sum()
        return total


@contextmanager
def _one_group(layers: Sequence[nn.Linear]) -> Iterator[None]:
    """The samples of a batch share their masks."""
    stirred = [layer for layer in layers if isinstance(layer, PerNodeDropLinear)]
    usual = [layer.mask_groups for layer in stirred]
    try:
        for layer in stirred:
            layer.mask_groups = 1
        yield
    finally:
        for layer, groups in zip(stirred, usual, strict=True):
            layer.mask_groups = groups


@contextmanager
def _dense(layers: Sequence[nn.Linear]) -> Iterator[list[Call]]:
    """The calls of regularized layers, which draw nothing within the context, whoever computes their products."""
    observation = Observation()
    with ExitStack() as stack:
        for layer in dict.fromkeys(layers):
            if not layer.training:
                continue
            noise = _noise_of(layer)
            if isinstance(layer, InputRegularizedLinear):
                stack.callback(setattr, layer, "regularizer", layer.regularizer)
                layer.regularizer = _Entering(observation, noise)
            else:
                stack.callback(delattr, layer, "product")
                vars(layer)["product"] = partial(_product, observation, noise)
        yield observation.calls


class _Entering(nn.Module):
    """Stands where a regularizer of the inputs stands."""

    def __init__(self, observation: Observation, noise: Noise) -> None:
        super().__init__()
        self._observation, self._noise = observation, noise

    def forward(self, x: Tensor) -> Tensor:
        return self._observation.entering(self._noise, x)


def _product(observation: Observation, noise: Noise, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return observation.leaving(noise, x, weight, nn.functional.linear(x, weight, bias))


def _noise_of(layer: nn.Linear) -> Noise:
    match layer:
        case PerNodeDropLinear():
            stir = layer.stir
            return Noise("connections", stir.variance, bool(layer.share_time), layer.batch_dim, layer.generator)
        case DropConnectLinear():
            return Noise("weights", noise_variance(layer.drop_rate), generator=layer.generator)
        case InputRegularizedLinear():
            within: Any = layer.regularizer
            shared, batch_dim = False, 0
            if isinstance(within, SharedOverPositions):
                shared, batch_dim, within = True, within.batch_dim, within.regularizer
            variance = noise_variance(within.drop_rate)
            return Noise("inputs", variance, shared, batch_dim, getattr(within, "generator", None))
    raise AssertionError(type(layer))
