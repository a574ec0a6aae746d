"""Orders of these tasks, carried out in this process."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from search_spaces import Evaluation, Objective, TaskSpec, TrialConfig
from service.storage.artifacts import ArtifactRoot
from service.storage.assignments.progress import EpochDone
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.messages import Examined, Kept, Order, Report, Stop
from workers.trial.orders import train

HERE = "1f-16384"
EPOCHS = 2


def spec(task: str, *, options: dict[str, Any] | None = None, **parts: Any) -> TaskSpec:
    return TaskSpec(name=f"tests.hooks.tasks:{task}", epochs=EPOCHS, options=options or {}, **parts)


def order(task: TaskSpec, folder: Path, *, token: int = 1, config: TrialConfig | None = None, **parts: Any) -> Order:
    objective = Objective(metric="val_loss")
    whole = Order(
        task=task,
        config=config or TrialConfig("dropout", units=8, batch_size=16, learning_rate=0.01),
        study_seed=3,
        first_seed=1,
        repeats=1,
        data_folder=folder,
        run_id=7,
        token=token,
        tested_by=objective,
        kept_by=objective,
        evaluation=Evaluation(passes=2, out_of_distribution=("far",), inputs=100),
        artifacts=ArtifactRoot(str(folder / "artifacts"), HERE),
        checkpoints=CheckpointRoot(str(folder / "checkpoints"), HERE),
        checkpoint_every=1e9,
    )
    return replace(whole, **parts)


def reports(of: Order, leave_after: int | None = None) -> Iterator[Report]:
    """Train; with `leave_after`, a Stop that keeps a checkpoint comes in that epoch."""
    asked = itertools.count(1)
    return train(of, torch.device("cpu"), lambda _: Stop(keep=True) if next(asked) == leave_after else None)


def exact(of: list[Report]) -> list[str]:
    """Everything that follows from the training, in words that differ where a bit does."""
    found = []
    for one in of:
        match one:
            case EpochDone():
                lasting = {name: value for name, value in one.metrics.items() if not name.endswith("_seconds")}
                found.append(repr((one.repeat, one.epoch, sorted(lasting.items()))))
            case Kept():
                found.append(repr((one.weights.repeat, one.weights.digest, one.weights.reason)))
            case Examined():
                e = one.examination
                scores = {name: array.tobytes() for name, array in e.scores.items()}
                found.append(repr((e.repeat, e.inputs, sorted(e.figures.items()), scores)))
    return found
