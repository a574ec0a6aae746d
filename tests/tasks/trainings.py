"""Trainings to compare, and one configuration of every variant."""

from itertools import product
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from search_spaces import Precision, TaskSpec, TrialConfig
from workers.tasks import Task, load_task
from workers.training import Epoch, Training
from workers.training.model import put_into_slots

Model = TypeVar("Model", bound=nn.Module)
CPU = torch.device("cpu")
VARIANTS = [
    TrialConfig(regularizer=name, batch_size=32)
    for name in ("none", "dropout", "gaussian_dropout", "dropconnect", "masksembles")
] + [
    TrialConfig(regularizer="pernodedrop", stir_type=stir, mask_mode=mode, batch_size=32, noisy_fraction=0.5)
    for stir, mode in product(("bernoulli", "gaussian", "partial_gaussian"), ("dynamic", "fixed"))
]


def few_digits_of(backbone: str, precision: Precision = "float32") -> Task:
    options = {"val_size": 40, "backbone": backbone}
    return load_task(TaskSpec(name="digits", train_size=70, precision=precision, options=options), Path())


def training(task: Task, config: TrialConfig, *, epochs: int = 2, seed: int = 3) -> Training:
    return Training(task, config, epochs=epochs, seed=seed, device=CPU)


def regularized(model: Model, config: TrialConfig, task: str) -> Model:
    """The model with the trial's regularizer in its slots."""
    put_into_slots(model, config, task)
    return model


def figures(epoch: Epoch) -> dict[str, float]:
    """Everything but the clock."""
    return {name: value for name, value in epoch.metrics.items() if name != "train_seconds"}


def curves(run: Training) -> list[dict[str, float]]:
    return [figures(epoch) for epoch in run.epochs()]
