"""One lease from Optuna's suggestion to the end of its run."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from search_spaces import StudyDefinition, TrialConfig, suggest
from service.storage import optuna_trials, queue
from service.storage.database import Database
from service.storage.errors import LeaseLost
from service.storage.patience import AWAY, patiently
from service.storage.records import CurvePoint, Lease, RunState
from workers.checkpoints import discard
from workers.lease import Renewal
from workers.messages import EpochDone, Failed, Finished, Order, Started
from workers.objective import Progress, UnusableObjective
from workers.trial_process import TrialProcess, TrialProcessDied

log = logging.getLogger(__name__)

T = TypeVar("T")

LISTEN_S = 0.2  # s between looks at the clock, the lease and the drain while no report comes
LEAVE_S = 5.0  # s for a trial that is called off to end its epoch before its process is killed

_TOLD = {RunState.COMPLETE: TrialState.COMPLETE, RunState.PRUNED: TrialState.PRUNED}
_SETTLED = {TrialState.COMPLETE: RunState.COMPLETE, TrialState.PRUNED: RunState.PRUNED}


@dataclass(frozen=True)
class Outcome:
    """How the work on a lease ended; `state` is None if the run goes back to the queue."""

    state: RunState | None
    reason: str | None = None
    healthy: bool = True  # whether the trial process may serve again


class Execution:
    """Trains one run's trial and writes down what it does, always under the lease's token."""

    def __init__(
        self,
        db: Database,
        lease: Lease,
        definition: StudyDefinition,
        study: optuna.Study,
        *,
        renewal: Renewal,
        leave_by: Callable[[], float],
        data_folder: Path,
        checkpoints: str | None = None,
        checkpoint_every: float = 30.0,
    ) -> None:
        self._db, self._lease, self._definition, self._study = db, lease, definition, study
        self._renewal, self._leave_by, self._data_folder = renewal, leave_by, data_folder
        self._checkpoints, self._checkpoint_every = checkpoints, checkpoint_every
        self._progress = Progress(definition.objectives)
        self._trial_id: int
        self._trial: Trial

    def run(self, process: TrialProcess, fixed_params: Mapping[str, object] | None) -> Outcome:
        """Work until the run ends, is handed back or is lost.

        Raises:
            LeaseLost: another worker holds the run by now, or its study was deleted.
            One of AWAY: the database has not answered for long; the caller hands the run back.
        """
        ask = partial(optuna_trials.ask, self._db, self._study, self._lease, fixed_params)
        self._trial_id = queue.under_lease(self._db, self._lease, ask)  # a stale holder's trial would run for ever
        if self._lease.token > 1:
            earlier = self._db.optuna.get_trial(self._trial_id)
            if earlier.state.is_finished():
                return self._settle(earlier)
        started = time.monotonic()
        try:
            self._trial = optuna_trials.open_trial(self._study, self._trial_id)
            queue.attach(self._db, self._lease, self._trial_id, self._trial.number)
            outcome = self._train(process, suggest(self._trial, self._definition))
        except (LeaseLost, *AWAY):
            raise
        except Exception as error:  # a sampler's or our own: one run's failure must not end the worker
            log.exception("run %d failed outside its training", self._lease.run_id)
            outcome = Outcome(RunState.FAILED, f"{type(error).__name__}: {error}", healthy=False)
        self._end(outcome)
        log.info(
            "%s run %d: %s in %.1f s%s",
            self._definition.name,
            self._lease.ordinal,
            outcome.state or "left",
            time.monotonic() - started,
            f": {outcome.reason}" if outcome.reason else "",
        )
        return outcome

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, give_up=lambda: time.monotonic() > self._leave_by())

    def _settle(self, record: FrozenTrial) -> Outcome:
        """End a run whose last holder died between telling Optuna and ending the run."""
        if self._lease.trial_id is None:  # else its curves and facts are complete, and `attach` would drop them
            queue.attach(self._db, self._lease, self._trial_id, record.number)
        outcome = Outcome(_SETTLED.get(record.state, RunState.FAILED), record.system_attrs.get("fail_reason"))
        self._finish(outcome, lambda: None)
        return outcome

    def _train(self, process: TrialProcess, config: TrialConfig) -> Outcome:
        try:
            process.order(
                Order(
                    task=self._definition.task,
                    config=config,
                    study_seed=self._definition.sampler.seed,
                    repeats=self._definition.repeats,
                    data_folder=self._data_folder,
                    run_id=self._lease.run_id,
                    token=self._lease.token,
                    checkpoints=self._checkpoints,
                    checkpoint_every=self._checkpoint_every,
                )
            )
            return self._follow(process)
        except TrialProcessDied as death:
            return Outcome(RunState.FAILED, str(death), healthy=False)

    def _follow(self, process: TrialProcess) -> Outcome:
        timeout = self._definition.budget.trial_timeout
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while True:
            if early := self._called_off(deadline):
                return self._leave(process, early)
            match process.listen(LISTEN_S):
                case Started(facts):
                    self._patiently(lambda facts=facts: queue.note_facts(self._db, self._lease, facts))  # type: ignore[misc]
                case EpochDone() as epoch:
                    if early := self._take_in(epoch):
                        return self._leave(process, early)
                case Finished():
                    return Outcome(RunState.COMPLETE)
                case Failed(reason, traceback, out_of_memory):
                    log.warning("trial %d failed:\n%s", self._trial.number, traceback.rstrip())
                    return Outcome(RunState.FAILED, reason, healthy=not out_of_memory)

    def _must_leave(self) -> bool:
        """Whether this worker is leaving and the trial cannot stay: at once if it can be carried on from here."""
        by = self._leave_by()
        return by < float("inf") and (self._checkpoints is not None or time.monotonic() > by)

    def _called_off(self, deadline: float) -> Outcome | None:
        if self._renewal.lost.is_set():
            return Outcome(None, "lease lost")
        if self._renewal.stopped.is_set():
            return Outcome(RunState.CANCELLED, "study stopped")
        if self._must_leave():
            return Outcome(None, "handed back")
        if time.monotonic() > deadline:
            seconds = self._definition.budget.trial_timeout
            return Outcome(RunState.FAILED, f"trial_timeout: not done after {seconds:g} s")
        return None

    def _take_in(self, done: EpochDone) -> Outcome | None:
        """Write the epoch down; return an outcome if the trial is to end here."""
        try:
            value, *others = self._progress.add(done.repeat, done.epoch, done.metrics)
        except UnusableObjective as error:
            return Outcome(RunState.FAILED, str(error))
        step = None if others else self._step(done)  # Optuna takes reports of single-objective studies only
        if self._pairs_repeats:
            value = self._progress.of_repeat(done.repeat)
        report = None if step is None else (step, value)
        points = [_point(done, name, number) for name, number in done.metrics.items()]
        self._patiently(lambda: queue.record_epoch(self._db, self._lease, self._total(done), points, report))
        if report is None or self._definition.pruner.name == "none":
            return None
        hopeless = self._patiently(lambda: optuna_trials.should_prune(self._trial, *report))
        return Outcome(RunState.PRUNED) if hopeless else None

    def _total(self, done: EpochDone) -> int:
        return done.repeat * self._definition.task.epochs + done.epoch

    def _leave(self, process: TrialProcess, outcome: Outcome) -> Outcome:
        """Bring the trial process to rest at the end of its epoch; it is not healthy if that takes too long."""
        keep = outcome.state is None and self._checkpoints is not None and not self._renewal.lost.is_set()
        process.stop(keep=keep)
        started = time.monotonic()
        while time.monotonic() < (self._leave_by() if keep else started + LEAVE_S):
            report = process.listen(LISTEN_S)
            if report is not None and not isinstance(report, Started | EpochDone):
                return outcome
        return replace(outcome, healthy=False)

    @property
    def _pairs_repeats(self) -> bool:
        return self._definition.pruner.name == "wilcoxon"

    def _step(self, done: EpochDone) -> int | None:
        """What Optuna hears of: the epochs of the first repeat or, to compare seed by seed, whole repeats."""
        if self._pairs_repeats:
            return done.repeat if done.epoch == self._definition.task.epochs else None
        return done.epoch if done.repeat == 0 else None

    def _end(self, outcome: Outcome) -> None:
        if outcome.state is None:
            self._patiently(lambda: queue.hand_back(self._db, self._lease))
        elif outcome.state in _TOLD:
            told = _TOLD[outcome.state]
            values = self._progress.values if told is TrialState.COMPLETE else None
            self._finish(outcome, lambda: optuna_trials.tell(self._study, self._trial, told, values))
        else:
            reason = outcome.reason or outcome.state
            self._finish(outcome, lambda: optuna_trials.fail(self._db, self._trial_id, reason))

    def _finish(self, outcome: Outcome, tell: Callable[[], None]) -> None:
        assert outcome.state is not None
        best = self._progress.best_epoch
        end = partial(queue.finish, self._db, self._lease, outcome.state, reason=outcome.reason, best_epoch=best)
        self._patiently(lambda: end(tell=tell))
        if self._checkpoints is not None:
            discard(self._checkpoints, self._lease.run_id)


def _point(done: EpochDone, name: str, value: float) -> CurvePoint:
    split, _, metric = name.partition("_")
    return CurvePoint(done.epoch, done.repeat, split, metric, value)
