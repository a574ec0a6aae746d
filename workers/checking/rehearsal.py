"""Trains a variant for two steps on a few samples, by the very code that trains a trial."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from search_spaces import StudyDefinition
from search_spaces.objective import unusable_name
from workers.tasks import Splits, Task
from workers.training import Training
from workers.training.seeds import repeat_seed
from workers.trial.dividing import task_of
from workers.trial.examining import Examinations
from workers.trial.messages import Order

STEPS = 2
EVALUATED = 1000  # samples of a split, at the most
BROADCASTS = "Using a target size"  # how torch's losses begin to say that targets have another shape than outputs
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Rehearsed:
    """What a variant's two steps and evaluation have measured, and what they warned of."""

    metrics: Mapping[str, float]
    warned: tuple[str, ...] = ()
    problem: str | None = None  # what the variant would do wrong, with its verb first


def rehearsed(definition: StudyDefinition, order: Order) -> Rehearsed:
    """Train the order's configuration for STEPS steps and evaluate every split, of which EVALUATED samples are drawn.

    A task whose metrics need more than a few samples is given all of them: its first epoch is a whole one then.

    Raises:
        Whatever the training raises.
    """
    task = task_of(order, 0)
    whole = task.splits(CPU)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            task._splits[CPU] = _few(whole, order.config.batch_size)
            found = _epoch(definition, order, task)
        except Exception:
            task._splits[CPU] = whole
            found = _epoch(definition, order, task)
        finally:
            task._splits[CPU] = whole
    notable = [one for one in caught if issubclass(one.category, FutureWarning) or BROADCASTS in str(one.message)]
    texts = {" ".join(str(one.message).split()) for one in notable}
    return found if found.problem is not None else replace(found, warned=tuple(sorted(texts)))


def _epoch(definition: StudyDefinition, order: Order, task: Task) -> Rehearsed:
    seed = repeat_seed(order.study_seed, order.first_seed)
    training = Training(task, order.config, epochs=definition.task.epochs, seed=seed, device=CPU)
    if definition.evaluation is not None:
        Examinations(order, definition.evaluation, training, []).check(training)
    metrics = dict(next(training.epochs()).metrics)
    if training.has_test:
        metrics |= training.test()
    unusable = unusable_name(metrics)
    problem = _nowhere(training, definition.task.name) if unusable is None else f"would fail: {unusable}"
    return Rehearsed(metrics, problem=problem)


def _nowhere(training: Training, task: str) -> str | None:
    """Say that the regularizer acts nowhere; a task may have put it in itself."""
    if training.facts.get("regularized_by") != "the task" or any(map(_is_ours, training.model.modules())):
        return None
    return (
        f"would train a plain model: no plain nn.Linear in the model of task {task} has the name "
        '"slot": give a dense layer this name'
    )


def _is_ours(module: nn.Module) -> bool:
    return type(module).__module__.partition(".")[0] == "pernodedrop"


def _few(data: Splits, batch_size: int) -> Splits:
    """STEPS batches of the training samples, and EVALUATED of each other split, drawn by a seed."""
    draws = torch.Generator().manual_seed(0)

    def drawn(x: Any, y: Any, most: int) -> tuple[Any, Any]:
        if x is None or len(x) <= most:
            return x, y
        chosen = torch.randperm(len(x), generator=draws)[:most]
        return x[chosen], y[chosen]

    train_x, train_y = drawn(data.train_x, data.train_y, STEPS * batch_size)
    val_x, val_y = drawn(data.val_x, data.val_y, EVALUATED)
    test_x, test_y = drawn(data.test_x, data.test_y, EVALUATED)
    return Splits(train_x, train_y, val_x, val_y, test_x, test_y)
