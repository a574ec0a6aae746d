"""From a training to its checkpoint's content, and back."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.objective import best_epoch
from service.storage.assignments.progress import EpochDone
from service.storage.states import storable
from workers.training import Training
from workers.trial.checkpoints import CheckpointStore
from workers.trial.examined import heard, told
from workers.trial.messages import Examined, Kept, Order
from workers.trial.out_of_memory import is_out_of_memory
from workers.trial.weights import kept_among

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
    """The point that a run has reached."""

    repeat: int  # in training
    history: list[EpochDone]
    examined: list[Examined]
    training: Training  # of the repeat
    kept: Sequence[Kept] = ()


def state_of(begun: Begun) -> dict[str, Any]:
    """What a checkpoint holds."""
    epochs = [(done.repeat, done.epoch, dict(done.metrics)) for done in begun.history]
    state = {"repeat": begun.repeat, "history": epochs, "training": begun.training.state_dict()}
    examined = [told(one.examination) for one in begun.examined]
    kept = [asdict(one.weights) for one in begun.kept]
    return state | ({"examined": examined} if examined else {}) | ({"kept": kept} if kept else {})


def resumed(store: CheckpointStore | None, order: Order, training_of: Callable[[int], Training]) -> Begun | None:
    """The point that an earlier holder reached; None, with a warning, if it left no checkpoint that fits."""
    kept = store.load() if store else None
    if kept is None:
        return None
    try:
        repeat, history = _progress(kept, order)
        examined = [Examined(heard(one, order.run_id)) for one in kept.get("examined", ())]
        written = kept_among(order.artifacts, kept.get("kept", ()), order.run_id)
        _check_written(written, order, repeat)
    except Exception as error:  # whatever a damaged one leads to
        _warn(order, error)
        return None
    training = training_of(repeat)
    try:
        training.load_state_dict(kept["training"])
        _check_kept(training, order, [done for done in history if done.repeat == repeat])
    except Exception as error:
        if is_out_of_memory(error):
            raise
        _warn(order, error)
        return None
    return Begun(repeat, history, examined, training, written)


def _warn(order: Order, error: Exception) -> None:
    unfit = "its checkpoint does not fit this version of the program"
    log.warning("run %d starts anew: %s: %s", order.run_id, unfit, storable(f"{type(error).__name__}: {error}"))


def _progress(kept: dict[str, Any], order: Order) -> tuple[int, list[EpochDone]]:
    """The repeat and the epochs so far, which must be all up to the one that the training has reached."""
    repeat, last, epochs = kept["repeat"], kept["training"]["epoch"], order.task.epochs
    if type(repeat) is not int or type(last) is not int or not (0 <= repeat < order.repeats and 1 <= last <= epochs):
        raise ValueError(f"it is of repeat {repeat} and epoch {last}")
    history = [EpochDone(*done) for done in kept["history"]]
    reached = repeat * epochs + last
    if [(done.repeat, done.epoch - 1) for done in history] != [divmod(number, epochs) for number in range(reached)]:
        raise ValueError("its history has not every epoch")
    for done in history:
        if not all(isinstance(name, str) and isinstance(value, int | float) for name, value in done.metrics.items()):
            raise ValueError(f"its history has metrics that are no numbers: {done.metrics}")
    return repeat, history


def _check_written(kept: Sequence[Kept], order: Order, repeat: int) -> None:
    """Raise ValueError unless the weights of every repeat before this one are kept, if they are to be."""
    missing = set(range(repeat)) - {one.weights.repeat for one in kept}
    if order.kept_by is not None and missing:
        raise ValueError(f"it has no weights of its repeat {min(missing) + 1}")


def _check_kept(training: Training, order: Order, epochs: Sequence[EpochDone]) -> None:
    """Raise ValueError unless the training has kept its best model, if that is to be examined or its weights kept."""
    objective = order.kept_by if order.evaluation is None else order.tested_by or order.kept_by
    if objective is None:
        return
    best = best_epoch(epochs, objective)
    if best is None or training.kept_epoch != best.epoch:
        raise ValueError(f"its best model is of epoch {training.kept_epoch}")
