"""The controller's own work on the storage, beside requests: what stopped and deleted studies leave, and old audit."""

import logging
from datetime import timedelta

from service.storage.access import deeds
from service.storage.database.database import Database
from service.storage.database.sqlstates import trouble_of
from service.storage.errors import StorageError
from service.storage.runs.expiry import tidy
from service.web.absence import LOOK_S, Absence
from service.web.background import Background

log = logging.getLogger(__name__)

BURST_S = 0.2  # s of work, and as long a pause while more is left, so that requests and workers have the database


class Housekeeping(Background):
    """Tidies up in a thread of its own, from `with` to the end of it.

    Workers tidy up after studies too, but there may be none. The audit is the controller's alone to forget.
    """

    def __init__(self, db: Database, audit: timedelta) -> None:
        """`audit` is how long it is kept who ordered what; zero is for ever."""
        super().__init__("housekeeping")
        self._db, self._audit = db, audit

    def _work(self) -> None:
        is_more_left, absence = False, Absence(log, "calls that need it are answered 503")
        while not self._done.wait(BURST_S if is_more_left else LOOK_S):
            try:
                _, is_more_left = tidy(self._db, BURST_S)
                if self._audit:
                    is_more_left |= deeds.forget(self._db, self._audit)
                if not is_more_left:  # a check takes longer than many a burst
                    self._db.check_ready()  # what changes nothing succeeds on a full disk, too
                    absence.found(None)
            except Exception as error:
                is_more_left = False
                if trouble_of(error) is None and not isinstance(error, StorageError):
                    log.exception("tidying up failed, and is tried again")
                else:
                    absence.found(error)
