"""Carries out an order: trains every repeat, epoch by epoch, from the last checkpoint on."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from workers.tasks import Task, load_task
from workers.training import Training
from workers.training.curvature import FIGURES
from workers.training.figures import check_names
from workers.training.memory import PEAK
from workers.training.seeds import repeat_seed
from workers.trial.checkpoints import CheckpointStore
from workers.trial.examination import Examination, confirmed_on
from workers.trial.fingerprint import fingerprint_of
from workers.trial.messages import EpochDone, Finished, Order, Report, Started, Stop, Stopped
from workers.trial.resumption import resumed, state_of

if TYPE_CHECKING:
    import torch

MessageBox = Callable[[], Stop | None]


def train(order: Order, device: "torch.device", stop_wanted: MessageBox) -> Iterator[Report]:
    """Yield the reports, up to Finished or Stopped.

    A run that was begun elsewhere resumes from its checkpoint. Its earlier epochs are reported again, unchanged, so
    that the agent needs no other record of them. A checkpoint that no longer fits the program, for example one of an
    earlier release, is ignored: training starts again.

    Raises:
        UnusableFigure: an epoch's metrics have other names than the first one's.
        Whatever the task raises.
    """
    task = load_task(order.task, order.data_folder)
    store = _store(order, task, device)
    saved_at = time.monotonic()

    def training_of(repeat: int) -> Training:
        seed = repeat_seed(order.study_seed, order.first_seed + repeat)
        return Training(task, order.config, epochs=order.task.epochs, seed=seed, device=device)

    first, history, training = resumed(store, order, training_of) or (0, [], training_of(0))
    examination = None if order.tested_by is None else Examination(order.tested_by, history)
    told = {} if examination is None else {"confirmed_on": confirmed_on(training)}
    yield Started({**training.facts, **told, **({"resumed_after_epoch": len(history)} if history else {})})
    yield from history
    for repeat in range(first, order.repeats):
        if repeat > first:
            training = training_of(repeat)
        for epoch in training.epochs():
            done = EpochDone(repeat, epoch.number, dict(epoch.metrics))
            if history:
                check_names(_lasting(done), _lasting(history[0]), repeat, epoch.number)
            history.append(done if examination is None else examination.examined(done, training))
            yield history[-1]
            stop = stop_wanted()
            due = time.monotonic() - saved_at >= order.checkpoint_every
            if store and (due or (stop and stop.keep)):
                store.save(state_of(repeat, history, training))
                saved_at = time.monotonic()
            if stop:
                yield Stopped()
                return
    yield Finished()


def _lasting(done: EpochDone) -> list[str]:
    """The names of the metrics that every epoch has, whatever its device and whether its model was tested."""
    return [name for name in done.metrics if not name.startswith("test_") and name not in FIGURES | {PEAK}]


def _store(order: Order, task: Task, device: "torch.device") -> CheckpointStore | None:
    if order.checkpoints is None:
        return None
    return CheckpointStore(order.checkpoints, order.run_id, order.token, fingerprint_of(order, task, device))
