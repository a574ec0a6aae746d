"""Dropout's effects by a formula, without a mask (Wei, Kakade, Ma 2020, arXiv:2002.12915)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pernodedrop.layers.input_regularized import SharedNoiseLinear
from pernodedrop.methods import curvature, effects
from pernodedrop.methods.observed import Call, Observed, ObservedInputLinear, ObservedLinear, Place, observing
from pernodedrop.methods.twice import check_differentiable, differentiable_twice
from pernodedrop.objectives import Objective, Step
from pernodedrop.regularization import Regularization
from pernodedrop.regularizers import Regularizer, Size

PLACES: Mapping[str, Place] = {
    "dropout": "inputs",
    "gaussian_dropout": "inputs",  # another law of the same variance
    "dropconnect": "weights",
    "pernodedrop": "connections",
}
FORMS = ("label", "jvp")


class Analytic(Regularizer):
    """A step minimizes the loss of a dense forward pass, and terms in place of the noise that `noise` names.

    The terms follow to second order from the noise's variance s^2 = p / (1 - p), p the drop rate. Positions of a sample
    share what they share under that noise. Attention runs unfused and recurrences without cuDNN, which differentiate
    once only.

    Raises:
        ValueError: the noise is unknown, or a function of the model has no second derivative.
    """

    options: ClassVar[Mapping[str, float | str]] = {"noise": "dropout"}
    noise = None  # that of another, whose name explicit_penalty takes
    name: ClassVar[str]
    _is_checked = False  # at the first step

    def layer(
        self, size: Size, settings: Regularization, generator: torch.Generator | None, device: torch.device | None
    ) -> nn.Linear:
        noise = self.option(settings, "noise")
        if noise not in PLACES:
            raise ValueError(f"noise must be one of {', '.join(PLACES)}, got {noise!r}")
        if noise == "pernodedrop" and not isinstance(settings.share_time, bool):
            raise ValueError(f"{self.name} knows masks with share_time True or False, got {settings.share_time:g}")
        kind = ObservedInputLinear if PLACES[noise] == "inputs" else ObservedLinear
        return kind(
            *size,
            on=PLACES[noise],
            drop_rate=settings.drop_rate,
            shares_time=noise == "dropconnect" or (noise == "pernodedrop" and bool(settings.share_time)),
            batch_dim=settings.batch_dim or 0,
            generator=generator,
            device=device,
        )

    def made_for(self, linear: nn.Linear, settings: Regularization, generator: torch.Generator | None) -> nn.Linear:
        layer = super().made_for(linear, settings, generator)
        assert isinstance(layer, Observed)
        layer.shares_time |= layer.on == "inputs" and isinstance(linear, SharedNoiseLinear)
        return layer

    def set_drop_rate(self, layer: nn.Linear, rate: float) -> None:
        assert isinstance(layer, Observed)
        layer.drop_rate = rate

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        observed = [layer for layer in dict.fromkeys(layers) if isinstance(layer, Observed)]

        def minimize(step: Step) -> Tensor:
            if all(layer.drop_rate == 0.0 for layer in observed):
                return step.loss(step.forward())
            with differentiable_twice(next(observed[0].parameters()).device), observing(observed) as calls:
                z = step.forward()
            loss = step.loss(z)
            with torch.autocast(z.device.type, enabled=False):
                added = self.terms(step, settings, z, loss, calls)
            if not self._is_checked:
                check_differentiable(added, self.name)
                self._is_checked = True
            return loss + added

        return minimize

    def terms(self, step: Step, settings: Regularization, z: Tensor, loss: Tensor, calls: Sequence[Call]) -> Tensor:
        """What is added to the loss of the outputs z of a dense pass with these calls; a scalar."""
        raise NotImplementedError


class Explicit(Analytic):
    """Adds R, what the noise adds to the expected loss.

    `form` "label" estimates R by labels that the model itself draws, as Wei et al. do; "jvp" by random directions. They
    vary less for many classes or confident predictions, and cost little more. Both are unbiased, for R and for its
    gradient with the loss's Hessian in the outputs held constant. Where connections share their factors over time,
    "label" holds B x I x J numbers and "jvp" does not.

    Raises:
        ValueError: the form is unknown, the task does not say what its outputs are, or its loss is not of that form.
    """

    name = "explicit"
    options: ClassVar[Mapping[str, float | str]] = {**Analytic.options, "form": "label"}

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        form = self.option(settings, "form")
        if form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
        return super().objective(layers, settings)

    def terms(self, step: Step, settings: Regularization, z: Tensor, loss: Tensor, calls: Sequence[Call]) -> Tensor:
        outputs, z = step.require_outputs(self.name), effects.wide(z)
        if not self._is_checked:
            curvature.check_fit(step, z, outputs, self.name)
        if self.option(settings, "form") == "jvp":
            return effects.explicit_by_products(z, calls, outputs)
        labels = curvature.drawn_labels(z, outputs, calls[0].noise.generator if calls else None)
        return effects.explicit_by_labels(z, calls, labels, outputs)


class Implicit(Analytic):
    """Adds to the gradient the noise that the masks' noise gives it, to first order, and nothing to the loss."""

    name = "implicit"

    def terms(self, step: Step, settings: Regularization, z: Tensor, loss: Tensor, calls: Sequence[Call]) -> Tensor:
        return effects.only_gradient(effects.implicit(loss, calls))


class ExplicitImplicit(Explicit):
    """Adds both, which together act as the noise itself to this order."""

    name = "explicit_implicit"

    def terms(self, step: Step, settings: Regularization, z: Tensor, loss: Tensor, calls: Sequence[Call]) -> Tensor:
        added = super().terms(step, settings, z, loss, calls)
        return added + effects.only_gradient(effects.implicit(loss, calls))
