"""The agent: leases runs one after another and has each of them trained."""

import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pernodedrop.log_context import about
from service.storage.artifacts import ArtifactRoot
from service.storage.assignments.choosing import assignment_of
from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.database.sqlstates import DATABASE_ERRORS, told, trouble_of
from service.storage.errors import LeaseLost, UnknownWorker
from service.storage.fleet import ownership
from service.storage.records import Lease
from service.storage.runs import claiming, held_up, holding
from service.storage.states import RunState
from workers import metrics
from workers.device.seat import Seat
from workers.runs.execution import Execution
from workers.runs.lease import AGAIN_S, Renewal
from workers.runs.rounds import Rounds
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.process import TrialProcessDied

log = logging.getLogger(__name__)

T = TypeVar("T")

CROWDED_S = 10.0  # s between two checks of an empty queue where connections are short
NAP_S = 0.2  # s between two checks for a drain while there is nothing to do


@dataclass(frozen=True)
class Options:
    """A worker's settings. Times in seconds."""

    data_folder: Path
    device: str = "auto"
    threads: int = 1
    lease: float = 60.0
    poll: float = 1.0
    grace: float = 20.0
    exit_when_idle: bool = False
    checkpoints: str | None = None  # a folder or an fsspec URL that other workers see as well
    adopts: tuple[str, ...] = ()  # databases whose checkpoints of the same training are used as well
    checkpoint_every: float = 30.0
    artifacts: str | None = None  # for weights: a folder or an fsspec URL that the controller sees as well


class Agent:
    """Supervises one trial process: one slot of a device."""

    def __init__(self, db: Database, options: Options, seat: Seat) -> None:
        self._db, self._options, self._seat = db, options, seat
        self._leave_by = float("inf")
        self._retires = False
        self._mark: str | None = None  # of what runs that are held up wait for, before the last claim
        self._is_unwanted = False  # a REST request asks this worker to leave

    def drain(self) -> None:
        """Take no further run and hand the current one back, with a checkpoint at the end of its epoch if that comes
        within the grace time. Without a checkpoint store the trial may end within the grace time. A second call hands
        the run back at once. Safe in a signal handler."""
        again = self._leave_by < float("inf")
        self._leave_by = 0.0 if again else time.monotonic() + self._options.grace

    def retire(self) -> None:
        """Take no further run, and leave when the current one has ended."""
        self._retires = True

    def run(self) -> None:
        """Work until drained or retired (or, with `exit_when_idle`, until the queue is empty).

        Raises:
            TrialProcessDied: the device cannot be used at all.
            One of DATABASE_ERRORS: the database refuses even to register this worker.
        """
        try:
            if not self._take_seat():
                return
            self._insistently(lambda: self._db.optuna)  # its first use costs a second that no run should wait for
            rounds = self._insistently(self._begun)
            self._serve(rounds)
            self._part(rounds)
        except DATABASE_ERRORS as error:
            if not self.is_draining():
                raise
            log.warning("left without a word: %s", told(error))
        finally:
            self._seat.clear()

    def _begun(self) -> Rounds:
        """Make this worker known to the database."""
        url = self._options.checkpoints
        checkpoints = (
            None if url is None else CheckpointRoot(url, ownership.database_id(self._db), self._options.adopts)
        )
        place = self._options.artifacts
        artifacts = None if place is None else ArtifactRoot(place, ownership.database_id(self._db))
        device = self._seat.process.device
        return Rounds(
            self._db, self._options.lease, device, checkpoints, self._heed, weights=artifacts, memory=self._seat.memory
        )

    def _serve(self, rounds: Rounds) -> None:
        while not (self.is_draining() or self._retires):
            if not self._seat.take():
                self._wait_outside(rounds)
                continue
            try:
                lease = self._next(rounds)
                if lease is None and held_up.held_up(self._db) is not None:
                    self._seat.idle()
                    self._wait_for_others()
                    continue
                if lease is None and self._options.exit_when_idle:
                    rounds.sweep()
                    return
            except UnknownWorker:  # after a silent day, or the database was restored to an earlier state
                self._insistently(rounds.register_again)
                continue
            except Exception as error:
                if trouble_of(error) is None:
                    raise
                self._wait_out(error, rounds)  # not an empty queue
                continue
            if lease is not None:
                metrics.CLAIMS.inc()
                with about(study=lease.definition.name, run=lease.run_id), metrics.TRAINING.track_inprogress():
                    self._work(lease, rounds)
            else:
                self._seat.idle()
                self._rest(self._options.poll + CROWDED_S * self._db.is_crowded())

    def is_draining(self) -> bool:
        """Return whether `drain` was called, or a REST request asks this worker to leave."""
        # No Event: its lock is not reentrant, and a handler that comes while the lock is held waits for ever.
        return self._leave_by < float("inf") or self._is_unwanted

    def _heed(self, may_stay: bool) -> None:
        """Note the database's answer, from here or from the thread that renews a lease; once unwanted, always."""
        if not may_stay:
            self._is_unwanted = True

    def _rest(self, seconds: float) -> None:
        """Sleep for about this time, or until this worker is to leave."""
        until = time.monotonic() + seconds * random.uniform(0.75, 1.25)
        while not (self.is_draining() or self._retires) and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_S))

    def _wait_for_others(self) -> None:
        """Wait until something has changed that may let a held up run begin, but no longer than between two checks of
        an empty queue.

        What changed between the last claim and the first look is found by a second claim.
        """
        before, self._mark = self._mark, held_up.mark(self._db)
        until = time.monotonic() + self._options.poll + CROWDED_S * self._db.is_crowded()
        while self._mark == before and time.monotonic() < until and not (self.is_draining() or self._retires):
            self._rest(min(self._options.poll, NAP_S) + CROWDED_S * self._db.is_crowded())
            self._mark = held_up.mark(self._db)

    def _next(self, rounds: Rounds) -> Lease | None:
        rounds.look()
        return None if self.is_draining() else claiming.claim(self._db, rounds.worker_id, self._options.lease)

    def _wait_out(self, error: Exception, rounds: Rounds) -> None:
        """Wait until the database can be written to, and then a little more: the leases of others' runs may have ended
        meanwhile, and those workers should renew them first."""
        log.warning("no run can be claimed: %s", told(error))
        with contextlib.suppress(UnknownWorker, *DATABASE_ERRORS):  # whatever it says, the next claim is tried
            self._patiently(rounds.check_in)
        self._rest(min(self._options.lease / 3, 5 * AGAIN_S))

    def _take_seat(self, run_id: int | None = None, unless: Callable[[], bool] = lambda: False) -> bool:
        """Get a trial process, alone on the device if the run needs that; returns False if the wait is given up."""
        while not self._seat.take(run_id):
            if self.is_draining() or unless():
                return False
            time.sleep(NAP_S)
        return True

    def _wait_outside(self, rounds: Rounds) -> None:
        """Show a sign of life while another slot has the device to itself."""
        with contextlib.suppress(UnknownWorker, *DATABASE_ERRORS):
            rounds.look()
        self._rest(NAP_S)

    def _work(self, lease: Lease, rounds: Rounds) -> None:
        """Work on the run until it ends or goes back to the queue."""
        hand_back = partial(holding.hand_back, self._db, lease)
        try:
            with Renewal(
                self._db, rounds.worker_id, lease, self._options.lease, self._heed, memory=self._seat.memory
            ) as renewal:
                if self._take_seat(lease.run_id, unless=renewal.is_over):
                    self._execute(lease, renewal, rounds)
                else:
                    self._settle(hand_back)
        except LeaseLost as lost:
            metrics.LEASES_LOST.inc()
            log.warning("%s", lost)
            self._db.doubt()
            self._restart_process()
        except TrialProcessDied:  # no new process starts: the device is at fault, not the run
            self._settle(hand_back)
            raise
        except Exception as error:  # for example a study whose Optuna tables are gone: the worker continues with others
            if trouble_of(error) is not None:
                log.warning("run %d is handed back: %s", lease.run_id, told(error))
                self._settle(hand_back)  # the outage does not count as an attempt
                self._restart_process()
                return
            log.exception("run %d cannot be worked on", lease.run_id)
            reason = f"{type(error).__name__}: {error}"
            fail = partial(holding.finish, self._db, lease, RunState.FAILED, reason=reason)
            self._settle(partial(fail, tell=lambda: None))  # `expire` ends the Optuna trial, if there is one
            self._restart_process()
        finally:
            self._seat.end_of_run()

    def _part(self, rounds: Rounds) -> None:
        """Say that this worker leaves; a database that cannot note it soon forgets the worker by itself."""
        try:
            rounds.leave()
        except DATABASE_ERRORS as error:
            log.warning("left without a word: %s", told(error))

    def _settle(self, write: Callable[[], object]) -> None:
        """Record the outcome of a run that is not trained to its end here; other workers do so if it is lost."""
        with contextlib.suppress(LeaseLost, *DATABASE_ERRORS):
            self._patiently(write)

    def _insistently(self, call: Callable[[], T]) -> T:
        """Return the call's result, whatever the database says for however long; a defect of ours is raised."""
        return patiently(call, seconds=float("inf"), again=float("inf"), give_up=self.is_draining)

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, seconds=float("inf"), give_up=self.is_draining)

    def _execute(self, lease: Lease, renewal: Renewal, rounds: Rounds) -> None:
        execution = Execution(
            self._db,
            lease,
            lambda again: assignment_of(self._db, lease, again=again),
            renewal=renewal,
            leave_by=lambda: self._leave_by,
            wants_solitude=lambda: self._seat.wants_solitude(lease.run_id),
            data_folder=self._options.data_folder,
            checkpoints=rounds.checkpoints,
            checkpoint_every=self._options.checkpoint_every,
            artifacts=rounds.artifacts,
        )
        execution.run(self._seat.process)
        if not execution.healthy:
            self._restart_process()

    def _restart_process(self) -> None:
        if self.is_draining():
            self._seat.clear()
        else:
            self._seat.replace()
