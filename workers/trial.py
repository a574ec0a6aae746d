"""What a trial process does with an order: every repeat, epoch by epoch, from the last checkpoint on."""

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from workers.checkpoints import CheckpointStore
from workers.examination import Examination, confirmed_on
from workers.messages import EpochDone, Finished, Order, Report, Started, Stop, Stopped
from workers.seeds import repeat_seed
from workers.tasks import load_task
from workers.training import Training

if TYPE_CHECKING:
    import torch

MessageBox = Callable[[], Stop | None]


def train(order: Order, device: "torch.device", stop_wanted: MessageBox) -> Iterator[Report]:
    """Yield what there is to report, up to Finished or Stopped.

    A run that was begun elsewhere is carried on from its checkpoint: its earlier epochs are reported again, as
    they were, so that whoever listens needs no other memory of them.
    """
    store = _store(order)
    kept = store.load() if store else None
    history: list[EpochDone] = [EpochDone(*done) for done in kept["history"]] if kept else []
    examination = None if order.tested_by is None else Examination(order.tested_by, history)
    task = load_task(order.task, order.data_folder)
    saved_at = time.monotonic()
    for repeat in range(kept["repeat"] if kept else 0, order.repeats):
        seed = repeat_seed(order.study_seed, order.first_seed + repeat)
        training = Training(task, order.config, epochs=order.task.epochs, seed=seed, device=device)
        if kept and repeat == kept["repeat"]:
            training.load_state_dict(kept["training"])
        if repeat == (kept["repeat"] if kept else 0):
            told = {} if examination is None else {"confirmed_on": confirmed_on(training)}
            yield Started({**training.facts, **told, **({"resumed_after_epoch": len(history)} if kept else {})})
            yield from history
        for epoch in training.epochs():
            done = EpochDone(repeat, epoch.number, dict(epoch.metrics))
            history.append(done if examination is None else examination.examined(done, training))
            yield history[-1]
            stop = stop_wanted()
            due = time.monotonic() - saved_at >= order.checkpoint_every
            if store and (due or (stop and stop.keep)):
                store.save(_state(repeat, history, training))
                saved_at = time.monotonic()
            if stop:
                yield Stopped()
                return
    yield Finished()


def _state(repeat: int, history: list[EpochDone], training: Training) -> dict[str, Any]:
    epochs = [(done.repeat, done.epoch, dict(done.metrics)) for done in history]
    return {"repeat": repeat, "history": epochs, "training": training.state_dict()}


def _store(order: Order) -> CheckpointStore | None:
    if order.checkpoints is None:
        return None
    trained = repr((order.task, order.config, order.study_seed, order.first_seed, order.repeats, order.tested_by))
    fingerprint = hashlib.sha256(trained.encode()).hexdigest()
    return CheckpointStore(order.checkpoints, order.run_id, order.token, fingerprint)
