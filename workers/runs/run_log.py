"""The log of a run's holder: what its trial has written, and why it failed."""

import time
from functools import partial

from pernodedrop.scrubbing import last_lines
from service.storage.database.database import Database
from service.storage.records import Lease, Log
from service.storage.runs import holding
from workers.trial.output import Output

EVERY_S = 3.0  # s between two records of what was written so far
WRITTEN_S = 0.5  # s in which the rest is there, once a trial has ended


class RunLog:
    """Records what was written from time to time, for whoever follows it, and has the whole for the run's end."""

    def __init__(self, db: Database, lease: Lease) -> None:
        self._record = partial(holding.record_log, db, lease)
        self._output: Output | None = None
        self._recorded, self._due = 0, 0.0
        self.traceback: str | None = None

    def of(self, output: Output | None) -> None:
        """Listen to this trial from now on."""
        self._output, self._due = output, time.monotonic() + EVERY_S

    @property
    def is_due(self) -> bool:
        """Whether to record now: it is time, and more was written than is recorded."""
        late = self._output is not None and time.monotonic() >= self._due
        return late and self._output is not None and self._output.written > self._recorded

    def record(self) -> None:
        """Record what was written so far.

        Raises:
            LeaseLost: another worker holds the run by now.
        """
        assert self._output is not None
        self._recorded = self._output.written
        self._record(self._output.log())
        self._due = time.monotonic() + EVERY_S

    def whole(self) -> Log | None:
        """All that was kept; None if that is nothing."""
        if self._output is not None:
            log = self._output.log(WRITTEN_S, self.traceback)
        else:
            log = Log(traceback=None if self.traceback is None else last_lines(self.traceback))
        return None if log.is_empty else log
