"""What a worker does for the fleet between two runs: it shows that it lives, sweeps, asks whether it may stay."""

import logging
import os
import socket
import time

from service.storage import ownership, workers
from service.storage.database import Database
from service.storage.expiry import expire
from workers.checkpoints import Place
from workers.collection import collect
from workers.lease import LOOK_S, SEEN_S

log = logging.getLogger(__name__)

COLLECT_S = 600.0  # s between looks for checkpoints that nobody needs


class Rounds:
    """One worker's: who it is to the database, and when its next look is due."""

    def __init__(self, db: Database, lease: float) -> None:
        self._db, self._sweep_every = db, min(lease / 3, SEEN_S)
        self._sweep_at = self._look_at = self._collect_at = 0.0
        self.worker_id: str  # since `register`
        self.is_unwanted = False  # somebody asked over REST that this worker leave

    def register(self, device: str) -> None:
        """Make this worker known, or known again."""
        self.worker_id = workers.register(self._db, socket.gethostname(), os.getpid(), device)
        log.info("worker %s on %s waits for runs", self.worker_id, device)

    def leave(self) -> None:
        """Say that this worker ends."""
        workers.leave(self._db, self.worker_id)
        log.info("worker %s has left", self.worker_id)

    def look(self, checkpoints: Place | None) -> None:
        """Sweep when it is time; ask more often whether this worker may stay.

        Raises:
            UnknownWorker: the database has forgotten it.
        """
        if time.monotonic() > self._sweep_at:
            self.sweep(checkpoints)
        elif time.monotonic() > self._look_at:
            self.heed(workers.may_stay(self._db, self.worker_id))
            self._look_at = time.monotonic() + LOOK_S

    def sweep(self, checkpoints: Place | None) -> None:
        """Requeue what others have lost, show a sign of life, and from time to time remove checkpoints that no run
        needs any more.

        Raises:
            UnknownWorker: the database has forgotten this worker.
        """
        expire(self._db)
        self.heed(workers.check_in(self._db, self.worker_id))
        self._sweep_at = time.monotonic() + self._sweep_every
        if checkpoints is not None and time.monotonic() > self._collect_at:
            collect(checkpoints, lambda runs: ownership.open_among(self._db, runs))
            self._collect_at = time.monotonic() + COLLECT_S

    def heed(self, may_stay: bool) -> None:
        """Take note of what the database said, here or to the thread that renews a lease; once unwanted, always."""
        if not may_stay:
            self.is_unwanted = True
