"""The model of a trial: the task's own, with the trial's regularizer in its slots, or where else it acts."""

import warnings

from torch import nn

from pernodedrop import Regularization, Regularized
from pernodedrop.insertion import is_plain, put_in
from pernodedrop.names import REGULARIZERS
from pernodedrop.passes import Passes
from pernodedrop.places import GRADIENT, offered
from search_spaces import TrialConfig
from search_spaces.problems import listed
from search_spaces.task import backbones_with
from workers.tasks.base import Task
from workers.tasks.seams import Seams
from workers.training.positions import check_correlation

SLOT = "slot"  # the name of a dense layer that is to be regularized


def model_of(task: Task, config: TrialConfig) -> tuple[nn.Module, Regularized | None]:
    """The task's fresh model with the trial's regularizer in its places, and the handle of what was put there.

    The regularizer is put in when all weights are drawn. So with the same seed every variant starts from the same
    weights, whatever masks it draws. A model without a slot is left as it is, and there is no handle: its task may
    have put a regularizer in. Where a trial has a regularizer, a warning says what to change.

    Raises:
        ValueError: the regularizer refuses its settings, or acts elsewhere than in a slot where the model has no place.
    """
    model = task.build(config)
    return model, put_into_slots(model, config, task.spec.name)


def put_into_slots(model: nn.Module, config: TrialConfig, task: str) -> Regularized | None:
    """`model_of` for a model that a task of this name has built; changes it in place."""
    place = REGULARIZERS.named(config.regularizer).place
    if place != SLOT:
        return _put_elsewhere(model, config, task, place)
    slots = [name for name, layer in model.named_modules() if name.rpartition(".")[2] == SLOT and is_plain(layer)]
    if slots:
        regularized = put_in(model, regularization_of(config), lambda name, _: name in slots)
        check_correlation(model, regularized.layers.values(), config, task)
        return regularized
    if config.regularizer != "none":
        warnings.warn(_NO_SLOT.format(name=task, regularizer=config.regularizer), FutureWarning, stacklevel=2)
    return None


def _put_elsewhere(model: nn.Module, config: TrialConfig, task: str, place: str) -> Regularized:
    places = [] if place == GRADIENT else offered(model, place)
    if not places and place != GRADIENT:
        others = backbones_with(task, place)
        remedy = f"choose task.options.backbone of {listed(others)}" if others else _REMEDIES[place]
        raise ValueError(f"{config.regularizer} acts on a {place}, and the model of task {task} has none: {remedy}")
    return put_in(model, regularization_of(config), lambda name, _: name in places)


def passes_of(task: Task, seams: Seams, regularized: Regularized | None) -> Passes | None:
    """The forward passes by which the model is judged; None: one.

    A task that does not define the mean of its outputs is judged by one pass, as before, with a warning.
    """
    passes = seams.passes or (None if regularized is None else regularized.passes)
    if passes is not None and not task.can_combine:
        warnings.warn(_SINGLE.format(name=task.spec.name, count=passes.count), FutureWarning, stacklevel=2)
        return None
    return passes


def regularization_of(config: TrialConfig) -> Regularization:
    """The regularization that a trial's parameters describe; its options are among the extra ones."""
    known = REGULARIZERS.named(config.regularizer).options
    return Regularization(
        config.regularizer,
        config.drop_rate,
        stir_type=config.stir_type,
        mask_mode=config.mask_mode,
        noisy_fraction=config.noisy_fraction,
        options={name: value for name, value in config.extra.items() if name in known},
    )


_REMEDIES = {
    "map": 'put an nn.Identity named "map" behind its convolutional features, or search another regularizer',
    "branch": 'end its residual branches in an nn.Identity named "branch", or search another regularizer',
    "recurrence": 'give an nn.LSTM or nn.GRU the name "recurrence", or search another regularizer',
}
_SINGLE = (
    "task {name} has a loss of its own and no method `combined`: the model is judged by one pass instead of {count}. "
    "Say in `combined` what the mean of several passes' predictions is"
)
_NO_SLOT = (
    'no plain nn.Linear in the model of task {name} has the name "slot", so the training puts {regularizer} nowhere '
    "and relies on build. There a fixed mask and Masksembles change the weights of later layers: give the layer the "
    'name "slot" and leave it plain'
)
