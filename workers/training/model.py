"""The model of a trial: the task's own, with the trial's regularizer in its slots."""

import warnings
from typing import TypeVar

from torch import nn

from pernodedrop import Regularization, is_regularized
from pernodedrop.insertion import is_plain, put_in
from search_spaces import TrialConfig
from workers.tasks.base import Task

Model = TypeVar("Model", bound=nn.Module)
SLOT = "slot"  # the name of a dense layer that is to be regularized


class NoSlot(ValueError):
    """A trial has a regularizer, and its task's model no place for it."""


def model_of(task: Task, config: TrialConfig) -> nn.Module:
    """The task's fresh model with the trial's regularizer in its slots.

    The regularizer comes when all weights are drawn: whatever masks it draws, with the same seed every variant starts
    from the same weights. A model without a slot that regularizes itself is left as it is, with a warning.

    Raises:
        NoSlot: there is a regularizer and no slot.
        ValueError: the regularizer refuses its settings.
    """
    return regularized(task.build(config), config, task.spec.name)


def regularized(model: Model, config: TrialConfig, task: str) -> Model:
    """`model_of` for a model that a task of this name has built; changes it in place."""
    slots = [name for name, layer in model.named_modules() if name.rpartition(".")[2] == SLOT and is_plain(layer)]
    if slots:
        put_in(model, regularization_of(config), lambda name, _: name in slots)
    elif is_regularized(model):
        warnings.warn(_TO_CHANGE.format(name=task), FutureWarning, stacklevel=2)
    elif config.regularizer != "none":
        raise NoSlot(_NO_SLOT.format(name=task, regularizer=config.regularizer))
    return model


def regularization_of(config: TrialConfig) -> Regularization:
    """What a trial's parameters say of its regularizer."""
    return Regularization(
        config.regularizer,
        config.drop_rate,
        stir_type=config.stir_type,
        mask_mode=config.mask_mode,
        noisy_fraction=config.noisy_fraction,
    )


_TO_CHANGE = (
    "task {name} puts the regularizer in while it builds its model: there a fixed mask and Masksembles change the "
    'weights of later layers. Build a plain nn.Linear with the name "slot" instead; the training regularizes it'
)
_NO_SLOT = (
    'task {name} must name a dense layer "slot" for the regularizer {regularizer}, its model has none: name an '
    "nn.Linear of build's model so"
)
