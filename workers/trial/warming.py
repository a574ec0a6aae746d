"""Trains a toy, so that a process that is forked from this one need not load what its first training does."""

import contextlib
from pathlib import Path

import torch
from torch import nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks import Splits, Task
from workers.training import Training


class Toy(Task):
    """A few samples and a layer with a slot."""

    def load(self, device: torch.device) -> Splits:
        x, y = torch.linspace(0, 1, 64, device=device).reshape(8, 8), torch.arange(8, device=device) % 2
        return Splits(x, y, x, y)

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(8, 8))
        return model.append(nn.Linear(8, 2))


_DECIDE = ("regularizer", "stir_type", "mask_mode", "optimizer")  # which code runs


def is_warm(config: TrialConfig) -> bool:
    """Return whether `warm` was called for such a configuration in this process, or one that it was forked from."""
    return _of_the_toy(config) in _warmed


def warm(config: TrialConfig) -> None:
    """Train the toy for an epoch by a configuration of this kind. It draws none of others' random numbers."""
    small = _of_the_toy(config)
    _warmed.add(small)
    with contextlib.suppress(Exception):  # what cannot be trained says so in its trial
        task = Toy(TaskSpec(name="workers.trial.warming:Toy"), Path())
        training = Training(task, small, epochs=1, seed=0, device=torch.device("cpu"))
        for _ in training.epochs():
            pass


def _of_the_toy(config: TrialConfig) -> TrialConfig:
    return TrialConfig(**{name: getattr(config, name) for name in _DECIDE}, batch_size=4)


_warmed: set[TrialConfig] = set()
