"""Orders with an evaluation, and what their examinations say, comparable to the last bit."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from search_spaces import Evaluation, Objective, TaskSpec, TrialConfig
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.messages import Examined, Order, Report, Stop
from workers.trial.orders import train

EVALUATION = Evaluation(passes=3, out_of_distribution=("far",), inputs=100)


def order(folder: Path, token: int = 1, regularizer: str = "pernodedrop", **changes: object) -> Order:
    whole = Order(
        task=TaskSpec(name="tests.workers.examined_tasks:Classes", epochs=2, train_size=64),
        config=TrialConfig(regularizer=regularizer, learning_rate=0.02, batch_size=16),
        study_seed=3,
        repeats=2,
        first_seed=5,
        tested_by=Objective(metric="val_loss"),
        evaluation=EVALUATION,
        data_folder=folder,
        run_id=7,
        token=token,
        checkpoints=CheckpointRoot(str(folder / "checkpoints"), "1f-16384"),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def reports(of: Order, leave_after: int | None = None) -> Iterator[Report]:
    """Train in this process; with `leave_after`, a Stop that keeps a checkpoint comes after so many epochs and sets."""
    asked = itertools.count(1)
    return train(of, torch.device("cpu"), lambda _: Stop(keep=True) if next(asked) == leave_after else None)


def exact(of: list[Report]) -> list[tuple[object, ...]]:
    """The examinations, in which equal is equal to the last bit, nan included."""
    return [
        (
            e.run_id, e.repeat, e.epoch, e.inputs, e.kind, e.level, e.passes, e.outputs,
            repr(sorted(e.figures.items())),
            {name: (array.shape, array.tobytes()) for name, array in e.scores.items()},
        )
        for e in (one.examination for one in of if isinstance(one, Examined))
    ]  # fmt: skip
