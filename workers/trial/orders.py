"""Carries out an order: trains every repeat, epoch by epoch, and examines it, from the last checkpoint on."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from service.storage.assignments.progress import EpochDone
from service.storage.provenance import checked
from workers.tasks import Task
from workers.training import Training
from workers.training.curvature import FIGURES
from workers.training.figures import check_names
from workers.training.memory import PEAK
from workers.training.seeds import repeat_seed
from workers.trial.checkpoints import CheckpointStore
from workers.trial.dividing import task_of
from workers.trial.examining import Examinations
from workers.trial.fingerprint import fingerprint_of
from workers.trial.messages import Examined, Finished, GoOn, Order, Report, Started, Stop, Stopped
from workers.trial.provenance import provenance_of
from workers.trial.resumption import Begun, resumed, state_of
from workers.trial.testing import Testing, confirmed_on
from workers.trial.weights import Keeping

if TYPE_CHECKING:
    import torch

MessageBox = Callable[[float], Stop | GoOn | None]  # takes the seconds to wait for a word

WORD_S = 1.0  # s between two looks for a word, at a rung


def train(order: Order, device: "torch.device", hear: MessageBox) -> Iterator[Report]:
    """Yield the reports, up to Finished or Stopped; a Stop is heard after every epoch and every examination.
    At a rung of the order nothing happens until there is a word.

    A run that was begun elsewhere resumes from its checkpoint. Its earlier epochs are reported again, unchanged, so
    that the agent needs no other record of them. A checkpoint that no longer fits the program, for example one of an
    earlier release, is ignored: training starts again.

    Raises:
        UnusableFigure: an epoch's metrics have other names than the first one's.
        Whatever the task raises.
    """
    task = task_of(order, 0)  # which stands for all of them, where its repeats have data of their own
    store = _store(order, task, device)
    saved_at = time.monotonic()

    def training_of(repeat: int) -> Training:
        seed = repeat_seed(order.study_seed, order.first_seed + repeat)
        return Training(task_of(order, repeat), order.config, epochs=order.task.epochs, seed=seed, device=device)

    begun = resumed(store, order, training_of) or Begun(0, [], [], training_of(0))
    first, history, training = begun.repeat, begun.history, begun.training
    repeat = first  # which `stopped` may note before the first epoch
    tests = _testing(order, history)
    exams = None if order.evaluation is None else Examinations(order, order.evaluation, training, begun.examined)
    if exams is not None:
        exams.check(training)
    if order.tested_by is None:
        exams = None
    told = {} if order.tested_by is None else {"confirmed_on": confirmed_on(training)}
    resumption = {"resumed_after_epoch": len(history)} if history else {}
    provenance = provenance_of(task, training.facts, device)
    keeping = None if order.kept_by is None else Keeping(order, checked(provenance), list(begun.kept))
    yield Started({**training.facts, **told, **resumption}, provenance)
    yield from history
    yield from begun.examined
    yield from begun.kept

    def stopped() -> bool:
        """Return whether to stop here; write a checkpoint if it is time, or if another worker will resume."""
        nonlocal saved_at
        stop = _stop(hear, len(history), waits=len(history) in order.rungs)
        due = time.monotonic() - saved_at >= order.checkpoint_every
        if store and (due or (stop and stop.keep)):
            examined, kept = [] if exams is None else exams.done, [] if keeping is None else keeping.done
            store.save(state_of(Begun(repeat, history, examined, training, kept)))
            saved_at = time.monotonic()
        return stop is not None

    if len(history) in order.rungs and stopped():
        yield Stopped()
        return
    for repeat in range(first, order.repeats):
        if repeat > first:
            training = training_of(repeat)
        for epoch in training.epochs():
            done = EpochDone(repeat, epoch.number, dict(epoch.metrics))
            if history:
                check_names(_lasting(done), _lasting(history[0]), repeat, epoch.number)
            history.append(done if tests is None else tests.tested(done, training))
            yield history[-1]
            if stopped():
                yield Stopped()
                return
        for report in () if exams is None else exams.of(repeat, training):
            yield report
            if isinstance(report, Examined) and stopped():
                yield Stopped()
                return
        if keeping is not None:
            yield from keeping.of(repeat, training, history)
    yield Finished()


def _stop(hear: MessageBox, epoch: int, *, waits: bool) -> Stop | None:
    """The wish to stop after this epoch, if there is one; one that waits at a rung needs a word to go on."""
    word = hear(0.0)
    while waits and word != GoOn(epoch) and not isinstance(word, Stop):
        word = hear(WORD_S)
    return word if isinstance(word, Stop) else None


def _testing(order: Order, history: list[EpochDone]) -> Testing | None:
    """What tests or keeps the best models of an order; None where nothing does."""
    if order.tested_by is None:
        return None if order.kept_by is None else Testing(order.kept_by, history, tests=False, keeps=True)
    keeps = order.evaluation is not None or order.kept_by is not None
    return Testing(order.tested_by, history, keeps=keeps)


def _lasting(done: EpochDone) -> list[str]:
    """The names of the metrics that every epoch has, whatever its device and whether its model was tested."""
    return [name for name in done.metrics if not name.startswith("test_") and name not in FIGURES | {PEAK}]


def _store(order: Order, task: Task, device: "torch.device") -> CheckpointStore | None:
    if order.checkpoints is None:
        return None
    return CheckpointStore(order.checkpoints, order.run_id, order.token, fingerprint_of(order, task, device))
