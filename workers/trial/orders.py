"""Carries out an order: trains every repeat, epoch by epoch, from the last checkpoint on."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from service.storage.states import storable
from workers.tasks import load_task
from workers.training import Training
from workers.training.figures import check_names
from workers.training.memory import PEAK
from workers.training.seeds import repeat_seed
from workers.trial.checkpoints import CheckpointStore
from workers.trial.examination import Examination, confirmed_on
from workers.trial.messages import EpochDone, Finished, Order, Report, Started, Stop, Stopped
from workers.trial.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

MessageBox = Callable[[], Stop | None]
Begun = tuple[int, list[EpochDone], Training]  # the repeat in training, the epochs so far, the repeat's training

FORMAT = 1  # of checkpoints; raise it when their content changes its meaning under the same names
_DOES_NOT_FIT = (KeyError, RuntimeError, TypeError, ValueError)  # what `load_state_dict` raises


def train(order: Order, device: "torch.device", stop_wanted: MessageBox) -> Iterator[Report]:
    """Yield the reports, up to Finished or Stopped.

    A run that was begun elsewhere resumes from its checkpoint. Its earlier epochs are reported again, unchanged, so
    that the agent needs no other record of them. A checkpoint that no longer fits the program, for example one of an
    earlier release, is ignored: training starts again.

    Raises:
        UnusableFigure: an epoch's metrics have other names than the first one's.
        Whatever the task raises.
    """
    store = _store(order)
    task = load_task(order.task, order.data_folder)
    saved_at = time.monotonic()

    def training_of(repeat: int) -> Training:
        seed = repeat_seed(order.study_seed, order.first_seed + repeat)
        return Training(task, order.config, epochs=order.task.epochs, seed=seed, device=device)

    first, history, training = _resumed(store, training_of) or (0, [], training_of(0))
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
                store.save(_state(repeat, history, training))
                saved_at = time.monotonic()
            if stop:
                yield Stopped()
                return
    yield Finished()


def _lasting(done: EpochDone) -> list[str]:
    """The names of the metrics that every epoch has, whatever its device and whether its model was tested."""
    return [name for name in done.metrics if not name.startswith("test_") and name != PEAK]


def _resumed(store: CheckpointStore | None, training_of: Callable[[int], Training]) -> Begun | None:
    """The point that an earlier holder reached; None if it left no checkpoint that fits."""
    kept = store.load() if store else None
    if store is None or kept is None:
        return None
    training = training_of(kept["repeat"])
    try:
        training.load_state_dict(kept["training"])
    except _DOES_NOT_FIT as error:
        if is_out_of_memory(error):
            raise
        unfit = "its checkpoint does not fit this version of the program"
        log.warning("run %d starts anew: %s: %s", store.run_id, unfit, storable(f"{type(error).__name__}: {error}"))
        return None
    return kept["repeat"], [EpochDone(*done) for done in kept["history"]], training


def _state(repeat: int, history: list[EpochDone], training: Training) -> dict[str, Any]:
    epochs = [(done.repeat, done.epoch, dict(done.metrics)) for done in history]
    return {"repeat": repeat, "history": epochs, "training": training.state_dict()}


def _store(order: Order) -> CheckpointStore | None:
    if order.checkpoints is None:
        return None
    seeds = (order.study_seed, order.first_seed, order.repeats)
    # Masksembles was once judged by one mask a sample: those figures must not be mixed with these.
    judged = ("by all masks",) if order.config.regularizer == "masksembles" else ()
    trained = repr((FORMAT, order.task, order.config, *seeds, order.tested_by, *judged))
    fingerprint = hashlib.sha256(trained.encode()).hexdigest()
    return CheckpointStore(order.checkpoints, order.run_id, order.token, fingerprint)
