"""The agent: leases runs one after another and sees each of them to its end."""

import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import optuna

from search_spaces import StudyDefinition, build_pruner, build_sampler, fixed_params
from service.storage import optuna_trials, queue, studies, workers
from service.storage.database import Database
from service.storage.errors import LeaseLost
from service.storage.expiry import expire
from service.storage.patience import AWAY, first_line, patiently
from service.storage.records import Lease, RunState
from workers.execution import Execution
from workers.lease import AGAIN_S, SEEN_S, Renewal
from workers.trial_process import TrialProcess, TrialProcessDied

log = logging.getLogger(__name__)

T = TypeVar("T")

NAP_S = 0.2  # s between looks at the drain while there is nothing to do


@dataclass(frozen=True)
class Options:
    """How a worker works. Times in seconds."""

    data_folder: Path
    device: str = "auto"
    threads: int = 1
    lease: float = 60.0
    poll: float = 1.0
    grace: float = 20.0
    exit_when_idle: bool = False
    checkpoints: str | None = None  # a folder or an fsspec URL that other workers see as well
    checkpoint_every: float = 30.0


class Agent:
    """Supervises one trial process on one device."""

    def __init__(self, db: Database, options: Options) -> None:
        self._db, self._options = db, options
        self._leave_by = float("inf")
        self._sweep_at = 0.0
        self._process: TrialProcess | None = None

    def drain(self) -> None:
        """Take no further run and hand the present one back, with a checkpoint at the end of its epoch if that
        comes within the grace time; without a checkpoint store the trial may end within it. Called a second time,
        hand back at once. Safe in a signal handler."""
        again = self._is_draining()
        self._leave_by = 0.0 if again else time.monotonic() + self._options.grace

    def run(self) -> None:
        """Work until drained (or, with `exit_when_idle`, until the queue is empty).

        Raises:
            TrialProcessDied: the device cannot be used at all.
        """
        self._process = TrialProcess(self._options.device, self._options.threads)
        device = self._process.device
        try:
            self._patiently(lambda: self._db.optuna)  # its first use costs a second that no run should wait for
            worker_id = self._patiently(lambda: workers.register(self._db, socket.gethostname(), os.getpid(), device))
            log.info("worker %s on %s waits for runs", worker_id, device)
            self._serve(worker_id)
            workers.stopped(self._db, worker_id)
            log.info("worker %s has left", worker_id)
        except AWAY as error:
            log.warning("left while the database was away: %s", first_line(error))
        finally:
            self._process.kill()

    def _serve(self, worker_id: str) -> None:
        while not self._is_draining():
            lease = self._next(worker_id)
            if lease is not None:
                self._work(worker_id, lease)
            elif self._options.exit_when_idle:
                self._sweep(worker_id)
                return
            else:
                self._rest(self._options.poll * random.uniform(0.75, 1.25))

    def _is_draining(self) -> bool:
        # No Event: its lock is not reentrant, and a handler that comes while the lock is held waits for ever.
        return self._leave_by < float("inf")

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_draining() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_S))

    def _next(self, worker_id: str) -> Lease | None:
        try:
            if time.monotonic() > self._sweep_at:
                self._sweep(worker_id)
            return queue.claim(self._db, worker_id, self._options.lease)
        except AWAY as error:
            # Others may hold runs whose leases ended meanwhile: let them renew first when it is back.
            log.warning("the database does not answer, waiting for it: %s", first_line(error))
            self._patiently(self._db.ping)
            self._rest(min(self._options.lease / 3, 5 * AGAIN_S))
            return None

    def _sweep(self, worker_id: str) -> None:
        expire(self._db, lambda trial_id, reason: optuna_trials.fail(self._db, trial_id, reason))
        workers.seen(self._db, worker_id)
        self._sweep_at = time.monotonic() + min(self._options.lease / 3, SEEN_S)

    def _work(self, worker_id: str, lease: Lease) -> None:
        try:
            with Renewal(self._db, worker_id, lease, self._options.lease) as renewal:
                self._execute(lease, renewal)
        except LeaseLost as lost:
            log.warning("%s: its run goes on elsewhere", lost)
            self._restart_process()
        except AWAY as error:
            log.warning("run %d is handed back: %s", lease.run_id, first_line(error))
            self._restart_process()
            with contextlib.suppress(LeaseLost, *AWAY):  # the outage was no attempt of the run's
                self._patiently(lambda: queue.hand_back(self._db, lease))
        except TrialProcessDied:
            raise
        except Exception as error:  # such as a study without its Optuna half: the worker goes on with others
            log.exception("run %d cannot be worked on", lease.run_id)
            reason = f"{type(error).__name__}: {error}"
            with contextlib.suppress(LeaseLost, *AWAY):
                end = partial(queue.finish, self._db, lease, RunState.FAILED, reason=reason)
                self._patiently(lambda: end(tell=lambda: None))  # `expire` ends the Optuna trial, if there is one
            self._restart_process()

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, seconds=float("inf"), give_up=self._is_draining)

    def _execute(self, lease: Lease, renewal: Renewal) -> None:
        found = self._study(lease.study_id)
        if found is None:
            raise LeaseLost(lease.run_id, lease.token)
        definition, study = found
        study.sampler = build_sampler(definition, _sampler_seed(definition, lease.ordinal))
        execution = Execution(
            self._db,
            lease,
            definition,
            study,
            renewal=renewal,
            leave_by=lambda: self._leave_by,
            data_folder=self._options.data_folder,
            checkpoints=self._options.checkpoints,
            checkpoint_every=self._options.checkpoint_every,
        )
        assert self._process is not None
        outcome = execution.run(self._process, fixed_params(definition, lease.ordinal))
        if not outcome.healthy:
            self._restart_process()

    def _restart_process(self) -> None:
        assert self._process is not None
        self._process.kill()
        if not self._is_draining():
            self._process = TrialProcess(self._options.device, self._options.threads)

    @lru_cache(maxsize=64)  # noqa: B019 (an agent lives as long as its process)
    def _study(self, study_id: int) -> tuple[StudyDefinition, optuna.Study] | None:
        found = studies.definition_of(self._db, study_id)
        if found is None:
            return None
        definition, optuna_study_id = found
        sampler = build_sampler(definition, definition.sampler.seed)
        study = optuna_trials.load_study(self._db, optuna_study_id, sampler, build_pruner(definition))
        return definition, study


def _sampler_seed(definition: StudyDefinition, ordinal: int) -> int:
    """A seed for the run, whoever trains it: workers that shared one would suggest the same again and again."""
    return int(np.random.SeedSequence((definition.sampler.seed, ordinal)).generate_state(1)[0])
