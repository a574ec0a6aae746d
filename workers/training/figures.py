"""What a task's own words are worth: its losses and metrics as numbers, or a sentence that says what to return."""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from workers.tasks.base import Task
from workers.tasks.inputs import Inputs
from workers.tasks.structure import Structured
from workers.training.in_place import Watched
from workers.training.pairing import require_pairs


class UnusableFigure(TypeError):
    """A task's loss or metric is no number, or its metrics are not those of the first epoch."""


def figures_of(task: Task, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Loss and metrics of outputs (N, ...) for targets y (N, ...): real scalars in double precision, on any device.

    Raises:
        UnusableFigure: the task returned something else.
        PairsAll: its loss compares every output with every target.
        ChangedInPlace: its metrics changed the outputs or the targets, or its loss the targets.
    """
    name = task.spec.name
    require_pairs(task, outputs, y)
    scored, truth = outputs[:], y[:]  # views, so that a shape changed in place is nobody else's
    seen_outputs, seen_targets = Watched(scored), Watched(truth)
    metrics = _scalars(_metrics(task, scored, truth), task, "metrics")
    seen_outputs.require_unchanged(f"metrics of task {name}", "the outputs")
    seen_targets.require_unchanged(f"metrics of task {name}", "the targets")
    truth = y[:]
    seen_targets = Watched(truth)
    loss = _scalar(task.loss(outputs, truth), f"the loss of task {name}")
    seen_targets.require_unchanged(f"the loss of task {name}", "the targets")
    return {"loss": loss, **metrics}


def model_figures_of(task: Task, model: nn.Module, x: Inputs) -> dict[str, Tensor]:
    """The task's metrics of the model itself on inputs x (N, ...), as `figures_of`.

    Raises:
        UnusableFigure: the task returned something else.
        ChangedInPlace: it changed the inputs.
    """
    inputs = x.parts if isinstance(x, Structured) else x
    seen = Watched(inputs)
    found = _scalars(task.model_metrics(model, inputs), task, "model_metrics")
    seen.require_unchanged(f"model_metrics of task {task.spec.name}", "the inputs")
    return found


def step_loss(loss: Any, task: Task) -> Tensor:
    """The loss of a batch, from which gradients flow.

    Raises:
        UnusableFigure: the task or its seams returned something else.
    """
    if isinstance(loss, Tensor) and loss.ndim == 0 and not loss.is_complex():
        return loss
    raise UnusableFigure(
        f"the loss of task {task.spec.name} must be a real scalar tensor, for its gradient, got {_described(loss)}"
    )


def check_names(names: Iterable[str], first: Iterable[str], repeat: int, epoch: int) -> None:
    """Check that an epoch's metrics have the names of the first epoch.

    Raises:
        UnusableFigure: they do not; the message names the epoch and the metrics.
    """
    new, missing = sorted(set(names) - set(first)), sorted(set(first) - set(names))
    changes = [f"{word} {', '.join(changed)}" for word, changed in (("without", missing), ("with", new)) if changed]
    if changes:
        raise UnusableFigure(
            f"epoch {epoch} of repeat {repeat + 1} came {' and '.join(changes)}, unlike the first epoch: "
            "metrics must return the same names each time"
        )


def _metrics(task: Task, outputs: Tensor, y: Tensor) -> Any:
    """What the task's metrics return; the default ones say what they need."""
    try:
        return task.metrics(outputs, y)
    except Exception as error:
        fits = outputs.dim() == 2 and y.dim() == 1 and not y.is_floating_point()
        if type(task).metrics is not Task.metrics or fits:
            raise
        raise UnusableFigure(
            f"the default metrics need logits (N, classes) and a whole number (N,) for each, got {_described(outputs)} "
            f"and {_described(y)}: define metrics of task {task.spec.name}, which may return {{}}"
        ) from error


def _scalars(metrics: Any, task: Task, method: str) -> dict[str, Tensor]:
    if not (isinstance(metrics, Mapping) and all(isinstance(name, str) and name for name in metrics)):
        raise UnusableFigure(
            f"{method} of task {task.spec.name} must return numbers by name, got {_described(metrics)}"
        )
    return {name: _scalar(value, f"metric {name!r} of task {task.spec.name}") for name, value in metrics.items()}


def _scalar(value: Any, what: str) -> Tensor:
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        return value.detach().reshape(()).double()
    if isinstance(value, Real):
        return torch.tensor(float(value), dtype=torch.float64, device="cpu")
    raise UnusableFigure(f"{what} must be a real number or a tensor of one, got {_described(value)}")


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')} and shape {tuple(value.shape)}"
    return "None" if value is None else type(value).__name__
