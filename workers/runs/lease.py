"""Renews a lease, in a separate thread, so that a long epoch or a slow query does not lose the run."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Self

from service.storage.database.database import Database
from service.storage.database.sqlstates import told
from service.storage.errors import LeaseLost, UnknownWorker
from service.storage.fleet import workers
from service.storage.records import DeviceMemory, Lease
from service.storage.runs import holding
from service.storage.states import StudyState

log = logging.getLogger(__name__)


SEEN_S = 20.0  # s between signs of life at most: the list of workers soon drops a silent one
LOOK_S = 5.0  # s between two checks whether the worker may stay, where connections are not short
AGAIN_S = 1.0  # s between tries while the database is away: return before another worker takes the run over


class Renewal:
    """Renews `lease` every third of its length while the `with` block runs.

    `lost` is set once another worker holds the run, `stopped` once its study was stopped. Every few seconds `heed` is
    called with whether the worker may stay.
    """

    def __init__(
        self,
        db: Database,
        worker_id: str,
        lease: Lease,
        seconds: float,
        heed: Callable[[bool], None] = lambda may_stay: None,
        *,
        memory: Callable[[], DeviceMemory | None] = lambda: None,
    ) -> None:
        self.lost = threading.Event()
        self.stopped = threading.Event()
        self._db, self._worker_id, self._lease, self._seconds = db, worker_id, lease, seconds
        self._heed, self._memory = heed, memory
        self._done = threading.Event()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._renew_until_done,), name="lease", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def is_over(self) -> bool:
        """Return whether there is nothing left to hold: the run is lost, or its study was stopped."""
        return self.lost.is_set() or self.stopped.is_set()

    def _renew_until_done(self) -> None:
        usual = min(self._seconds / 3, SEEN_S)
        away, due = False, time.monotonic() + usual
        while not self._done.wait(min(LOOK_S, max(0.0, due - time.monotonic()))):
            try:
                if time.monotonic() < due:
                    if not self._db.is_crowded():  # else the next renewal is soon enough
                        self._ask(workers.may_stay)
                    continue
                state = holding.renew(self._db, self._lease, self._seconds)
                self._ask(partial(workers.check_in, memory=self._memory()))
            except LeaseLost:
                self.lost.set()
                return
            except Exception as error:  # any error: if the thread ended, the run would be lost silently
                if not away:
                    log.warning("run %d cannot be renewed yet: %s", self._lease.run_id, told(error))
                away, due = True, time.monotonic() + min(AGAIN_S, usual)
                continue
            away, due = False, time.monotonic() + usual
            if state is StudyState.STOPPED:
                self.stopped.set()

    def _ask(self, whether_it_may_stay: Callable[[Database, str], bool]) -> None:
        with contextlib.suppress(UnknownWorker):  # forgotten: it registers again when this run has ended
            self._heed(whether_it_may_stay(self._db, self._worker_id))
