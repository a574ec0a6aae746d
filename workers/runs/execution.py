"""The work on one lease, until its run ends or goes back to the queue."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from traceback import format_exc
from typing import TypeVar

from pernodedrop.scrubbing import scrubbed
from search_spaces import TrialConfig
from service.storage import artifacts as artifact_files
from service.storage.artifacts import ArtifactRoot
from service.storage.assignments.assignment import Assignment, Ended, HandedBack, Outcome, Paused
from service.storage.assignments.ending import finish
from service.storage.assignments.epochs import taken_in
from service.storage.assignments.progress import EpochDone, UnusableEpoch
from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.database.sqlstates import Remedy, Trouble, trouble_of
from service.storage.errors import LeaseLost
from service.storage.records import Lease
from service.storage.runs import holding
from service.storage.states import STUDY_STOPPED, RunState
from workers import metrics
from workers.runs.expected import Expected, ExpectedWeights
from workers.runs.lease import Renewal
from workers.runs.leg import Leg
from workers.runs.run_log import RunLog
from workers.runs.stopping import LISTEN_S, stopped
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.collection import discard
from workers.trial.messages import Examined, Examining, Failed, Finished, Kept, Order, Started
from workers.trial.process import TrialProcess, TrialProcessDied

log = logging.getLogger(__name__)

T = TypeVar("T")


class Execution:
    """Trains a run and records its progress under the lease's token, and handles process, clock, drain, curves and log.

    The assignment decides what is trained and receives the results; `assign` makes it, and is told whether an earlier
    call has failed.
    """

    def __init__(
        self,
        db: Database,
        lease: Lease,
        assign: Callable[[bool], Assignment],
        *,
        renewal: Renewal,
        leave_by: Callable[[], float],
        wants_solitude: Callable[[], bool] = lambda: False,
        data_folder: Path,
        checkpoints: CheckpointRoot | None = None,
        checkpoint_every: float = 30.0,
        artifacts: ArtifactRoot | None = None,
    ) -> None:
        self._db, self._lease, self._assign = db, lease, assign
        self._assigned: Assignment | None = None
        self._fails_to_begin, self._leg = False, Leg(db, lease, self._while_wanted)
        self._renewal, self._leave_by, self._data_folder = renewal, leave_by, data_folder
        self._wants_solitude = wants_solitude
        self._checkpoints, self._checkpoint_every = checkpoints, checkpoint_every
        self._artifacts, self._kept, self._log = artifacts, ExpectedWeights(None), RunLog(db, lease)
        self.healthy = True  # whether the trial process may serve again

    def run(self, process: TrialProcess) -> Outcome:
        """Work until the run ends, is handed back or is lost.

        Raises:
            LeaseLost: another worker holds the run by now, or its study was deleted.
            An error with a `Trouble`: the database cannot serve anybody; the caller hands the run back.
        """
        started = time.monotonic()
        try:
            begun = self._while_wanted(self._begin)
            if isinstance(begun, Ended):
                self._finish(begun, lambda: None)
                return begun
            outcome = self._train(process, begun)
        except LeaseLost:
            raise
        except Exception as error:
            trouble = trouble_of(error)
            if self._assigned is None and trouble is None:
                raise
            if trouble is not None and (trouble.remedy is Remedy.WAIT or self._is_unwanted()):
                raise
            self.healthy = False
            if trouble is None:  # a sampler's or our own: one run's failure must not end the worker
                log.exception("run %d failed outside its training", self._lease.run_id)
                self._log.traceback = format_exc()
                outcome = Ended(RunState.FAILED, f"{type(error).__name__}: {error}")
            else:
                outcome = self._refused(trouble)
        self._end(outcome)
        metrics.ENDED.labels(outcome.word.replace(" ", "_")).inc()
        log.info(
            "%s run %d: %s in %.1f s%s",
            self._lease.definition.name,
            self._lease.ordinal,
            outcome.word,
            time.monotonic() - started,
            f": {outcome.reason}" if outcome.reason else "",
        )
        return outcome

    def _begin(self) -> Ended | TrialConfig:
        """Return what to train, or how the run has ended before.

        It may be called again: a sampler is made anew, so that it draws the same.
        """
        again, self._fails_to_begin = self._fails_to_begin, True
        self._assigned = assignment = self._assign(again)
        if (ended := assignment.adopt()) is not None:
            return ended
        with metrics.ASK.time():
            return TrialConfig.from_params(assignment.prepare())

    @property
    def _assignment(self) -> Assignment:
        assert self._assigned is not None, "_begin comes first"
        return self._assigned

    def _is_unwanted(self) -> bool:
        """Return whether there is nothing left to wait for: the run is lost or stopped, or the worker leaves."""
        return self._renewal.is_over() or time.monotonic() > self._leave_by()

    def _while_wanted(self, call: Callable[[], T]) -> T:
        return patiently(call, give_up=self._is_unwanted)

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, give_up=lambda: time.monotonic() > self._leave_by())

    def _refused(self, trouble: Trouble) -> Outcome:
        """Return how the work ends when the database goes on refusing it: that is not the trial's fault, unless its
        figures cannot be stored."""
        reason = f"the database {trouble.state}: {trouble.line}"
        return Ended(RunState.FAILED, reason) if trouble.remedy is Remedy.INPUT else self._died(reason)

    def _train(self, process: TrialProcess, config: TrialConfig) -> Outcome:
        try:
            process.order(
                Order.of_study(
                    self._lease.definition,
                    config,
                    self._assignment.seeds,
                    tested_by=self._assignment.tested_by,
                    kept_by=self._lease.definition.objectives[0] if self._assignment.keeps else None,
                    artifacts=self._artifacts,
                    evaluation=self._assignment.evaluation,
                    data_folder=self._data_folder,
                    run_id=self._lease.run_id,
                    token=self._lease.token,
                    checkpoints=self._checkpoints,
                    checkpoint_every=self._checkpoint_every,
                    rungs=self._leg.rungs,
                )
            )
            self._log.of(process.output)
            return self._follow(process)
        except TrialProcessDied as death:
            self.healthy = False
            if death.out_of_memory:
                return self._out_of_memory(str(death))
            return self._died(str(death))

    def _follow(self, process: TrialProcess) -> Outcome:
        timeout = self._lease.definition.budget.trial_timeout
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        examined = self._assignment.evaluation if self._assignment.tested_by else None
        expected = Expected(examined, len(self._assignment.seeds))
        self._kept = ExpectedWeights(len(self._assignment.seeds) if self._assignment.keeps else None)
        while True:
            if early := self._called_off(deadline):
                return self._leave(process, early)
            if self._log.is_due:
                self._while_wanted(self._log.record)
            match process.listen(LISTEN_S):
                case Started(facts, provenance):
                    noted = {**facts, **self._leg.repetition(facts)}
                    self._while_wanted(partial(holding.note_facts, self._db, self._lease, noted, provenance))
                case EpochDone() as epoch:
                    if early := self._take_in(epoch) or self._leg.ended_by(epoch, self._assignment.progress, process):
                        return self._leave(process, early)
                case Examining() | Examined() | Kept() as finding:
                    if flaw := self._take_in_finding(finding, expected):
                        return self._leave(process, Ended(RunState.FAILED, flaw))
                case Finished():
                    flaw = self._assignment.progress.flaw or expected.flaw or self._kept.flaw
                    return Ended(RunState.COMPLETE if flaw is None else RunState.FAILED, flaw)
                case Failed(reason, traceback, out_of_memory):
                    log.warning("run %d failed:\n%s", self._lease.run_id, traceback.rstrip())
                    self.healthy, self._log.traceback, reason = not out_of_memory, traceback, scrubbed(reason)
                    return self._out_of_memory(reason) if out_of_memory else Ended(RunState.FAILED, reason)

    def _died(self, reason: str) -> Outcome:
        """Use up an attempt, as a lost worker does: the trial need not be the cause."""
        if self._lease.attempts <= self._lease.definition.retries:
            return HandedBack(reason, attempted=True)
        return Ended(RunState.FAILED, f"{reason} (attempt {self._lease.attempts}, retries used up)")

    def _out_of_memory(self, reason: str) -> Outcome:
        """Hand the trial back, to be tried alone, if other trials used the memory; else it has failed."""
        if self._wants_solitude():
            return HandedBack(f"ran out of memory beside other trials, to be tried alone: {reason}")
        return Ended(RunState.FAILED, f"{reason} (its worker trained nothing else on the device)", infeasible=True)

    def _must_leave(self) -> bool:
        """Return whether this worker leaves and the trial must stop: at once if another worker can resume it."""
        by = self._leave_by()
        return by < float("inf") and (self._checkpoints is not None or time.monotonic() > by)

    def _called_off(self, deadline: float) -> Outcome | None:
        if self._renewal.lost.is_set():
            return HandedBack()  # handing back is refused, and raises LeaseLost
        if self._renewal.stopped.is_set():
            return Ended(RunState.CANCELLED, STUDY_STOPPED)
        if self._must_leave():
            return HandedBack()
        if time.monotonic() > deadline:
            seconds = self._lease.definition.budget.trial_timeout
            return Ended(RunState.FAILED, f"trial_timeout: not done after {seconds:g} s")
        return None

    def _take_in(self, done: EpochDone) -> Ended | None:
        """Record the epoch; return how the run has ended if it is to end here."""
        try:
            epoch = taken_in(self._lease.definition, self._assignment, done)
        except UnusableEpoch as error:
            return Ended(RunState.FAILED, str(error))
        self._while_wanted(lambda: epoch.record(self._db, self._lease))
        metrics.EPOCHS.inc()
        report = epoch.report
        if report is None:
            return None
        return Ended(RunState.PRUNED) if self._while_wanted(lambda: self._assignment.is_hopeless(report)) else None

    def _take_in_finding(self, found: Examining | Examined | Kept, expected: Expected) -> str | None:
        """Record what a trial says of a repeat's best model; return why it does not belong to the run, if so."""
        match found:
            case Examining(repeat, inputs):
                place = self._lease.definition.name, self._lease.ordinal, inputs, repeat + 1
                log.info("%s run %d: examining %s, repeat %d of %d", *place, len(self._assignment.seeds))
            case Examined(examination):
                if flaw := expected.refusal(examination, self._assignment.progress):
                    return flaw
                self._while_wanted(partial(holding.record_examination, self._db, self._lease, examination))
            case Kept(weights):
                if flaw := self._kept.refusal(weights, self._assignment.progress):
                    return flaw
                if weights.reason is not None:
                    log.warning("run %d, repeat %d: %s", self._lease.run_id, weights.repeat + 1, weights.reason)
        return None

    def _leave(self, process: TrialProcess, outcome: Outcome) -> Outcome:
        """Stop the trial process at the end of its epoch, with a checkpoint if its run may go on."""
        may_keep = self._checkpoints is not None and not self._renewal.lost.is_set()
        keep = may_keep and isinstance(outcome, HandedBack | Paused)
        self.healthy = stopped(process, self._lease.run_id, self._renewal.is_over, self._leave_by, keep=keep)
        return outcome

    def _end(self, outcome: Outcome) -> None:
        match outcome:
            case HandedBack(reason, attempted):
                back = partial(holding.hand_back, self._db, self._lease, reason, log=self._log.whole())
                self._patiently(lambda: back(attempted=attempted))
            case Paused():
                self._patiently(partial(self._leg.pause, self._assignment.progress.best_epoch, self._log.whole()))
            case Ended() as ended:
                self._finish(ended, lambda: None if self._assigned is None else self._assigned.tell(ended))

    def _finish(self, ended: Ended, tell: Callable[[], None]) -> None:
        kept = self._kept.kept if ended.state is RunState.COMPLETE else []
        log = self._log.whole()
        beaten = self._patiently(
            lambda: finish(self._db, self._lease, self._assigned, ended, kept=kept, log=log, tell=tell)
        )
        if self._checkpoints is not None:
            discard(self._checkpoints, self._lease.run_id)
        if self._artifacts is not None:
            self._discard_weights(self._artifacts, beaten, [one.digest for one in kept if one.digest is not None])

    def _discard_weights(self, artifacts: ArtifactRoot, beaten: set[int], digests: list[str]) -> None:
        """Remove the files that no row names: of runs that this one has beaten, and of this one's earlier holders."""
        own, keeps = self._lease.run_id, self._assigned is not None and self._assigned.keeps
        for run_id in {*beaten, own} if keeps else beaten:
            artifact_files.discard(artifacts, run_id, digests if run_id == own and own not in beaten else ())
