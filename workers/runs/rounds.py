"""The work of a worker between two runs: it shows that it lives, sweeps, and asks whether it may stay."""

import logging
import os
import socket
import time
from collections.abc import Callable

from service.storage import artifacts
from service.storage.artifacts import ArtifactRoot
from service.storage.database.database import Database
from service.storage.fleet import devices, ownership, workers
from service.storage.records import DeviceMemory
from service.storage.runs import keeping
from service.storage.runs.expiry import expire
from workers import processor
from workers.runs.lease import LOOK_S, SEEN_S
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.collection import collect

log = logging.getLogger(__name__)

COLLECT_S = 600.0  # s between two searches for checkpoints and weights that no run needs


class Rounds:
    """One worker's id in the database, and the times of its next checks.

    Every check calls `heed` with whether the worker may stay.
    """

    def __init__(
        self,
        db: Database,
        lease: float,
        device: str,
        checkpoints: CheckpointRoot | None,
        heed: Callable[[bool], None],
        *,
        weights: ArtifactRoot | None = None,
        memory: Callable[[], DeviceMemory | None] = lambda: None,
    ) -> None:
        self._db, self._device, self._heed, self._memory = db, device, heed, memory
        self._name = devices.named(device, has_bfloat16=processor.has_bfloat16())
        self._sweep_every = min(lease / 3, SEEN_S)  # s
        self._sweep_at = self._look_at = self._collect_at = 0.0
        self.checkpoints, self.artifacts = checkpoints, weights
        self.worker_id = self._registered()

    def register_again(self) -> None:
        """Register this worker again, under a new id: the database has forgotten it."""
        self.worker_id = self._registered()

    def _registered(self) -> str:
        worker_id = workers.register(self._db, socket.gethostname(), os.getpid(), self._name)
        log.info("worker %s on %s waits for runs", worker_id, self._device)
        return worker_id

    def leave(self) -> None:
        """Record that this worker ends."""
        workers.leave(self._db, self.worker_id)
        log.info("worker %s has left", self.worker_id)

    def look(self) -> None:
        """Sweep when it is time; ask more often whether this worker may stay.

        Raises:
            UnknownWorker: the database has forgotten it.
        """
        if time.monotonic() > self._sweep_at:
            self.sweep()
        elif time.monotonic() > self._look_at:
            self._heed(workers.may_stay(self._db, self.worker_id))
            self._look_at = time.monotonic() + LOOK_S

    def check_in(self) -> None:
        """Show a sign of life.

        Raises:
            UnknownWorker: the database has forgotten this worker.
        """
        self._heed(workers.check_in(self._db, self.worker_id, memory=self._memory()))

    def sweep(self) -> None:
        """Requeue runs of lost workers, show a sign of life, and from time to time remove checkpoints and weights that
        no run needs.

        Raises:
            UnknownWorker: the database has forgotten this worker.
        """
        expire(self._db)
        self.check_in()
        self._sweep_at = time.monotonic() + self._sweep_every
        if time.monotonic() > self._collect_at:
            if self.checkpoints is not None:
                collect(self.checkpoints, lambda runs: ownership.open_among(self._db, runs))
            if self.artifacts is not None:
                artifacts.collect(self.artifacts, lambda runs: keeping.named_among(self._db, runs))
            self._collect_at = time.monotonic() + COLLECT_S
