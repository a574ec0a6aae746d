"""A leg of a trial's training: where it ends, and whether the trial goes on from there."""

import logging
from collections.abc import Callable, Mapping

from service.storage.assignments.assignment import Paused
from service.storage.assignments.progress import EpochDone, Progress
from service.storage.database.database import Database
from service.storage.records import Lease, Log
from service.storage.runs import pausing
from workers.trial.process import TrialProcess

log = logging.getLogger(__name__)

Insisting = Callable[[Callable[[], int | None]], int | None]


class Leg:
    """The present leg of a lease's trial, and those after it for which it does not leave its worker.

    `insist` makes a call until the database answers.
    """

    def __init__(self, db: Database, lease: Lease, insist: Insisting) -> None:
        self._db, self._lease, self._insist = db, lease, insist
        self._until = lease.until

    @property
    def _every(self) -> tuple[int, ...]:
        lease = self._lease
        if lease.until is None:
            return ()
        return lease.definition.pruner.rungs(lease.place, lease.definition.task.epochs)

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which the trial waits for a word, from the end of this leg on."""
        return tuple(rung for rung in self._every if (self._until or 0) <= rung < self._lease.definition.task.epochs)

    def repetition(self, facts: Mapping[str, str | int | float]) -> Mapping[str, int]:
        """The fact that a trial which had reached a rung is trained again from its beginning, said once in the log."""
        if self._lease.until is None or self._lease.token == 1 or "resumed_after_epoch" in facts:
            return {}
        passed = self._insist(lambda: pausing.last_reached(self._db, self._lease))
        if passed is None:
            return {}
        log.warning(
            "run %d had been trained for %d epochs, up to a rung, and its checkpoint is not here: it is trained again "
            "from the beginning; let all workers share one --checkpoints folder",
            *(self._lease.run_id, passed),
        )
        return {"trained_again": passed}

    def ended_by(self, done: EpochDone, progress: Progress, process: TrialProcess) -> Paused | None:
        """Let the trial go on or pause, if this epoch is the last of its leg.

        Raises:
            LeaseLost: see `pausing.reached`.
        """
        definition, until = self._lease.definition, self._until
        total = done.repeat * definition.task.epochs + done.epoch
        if until is None or total != until or total == definition.epochs:
            return None
        cost = definition.objectives[0].cost(progress.of_repeat(0))
        self._until = self._insist(lambda: pausing.reached(self._db, self._lease, until, cost))
        if self._until is None:
            return Paused(until)
        process.go_on(until)
        return None

    def pause(self, best_epoch: int | None, log: Log | None) -> None:
        """Let the run wait at its rung; raises what `pausing.pause` does."""
        pausing.pause(self._db, self._lease, best_epoch, log)
