"""What a server process says of a database that keeps everybody from working: once, and once when it is back."""

import logging

from service.storage.database.database import Database
from service.storage.database.sqlstates import Remedy, told, trouble_of
from service.storage.errors import DatabaseRefuses, DatabaseUnreachable, SchemaOutdated
from service.web.background import Background
from service.web.faults import fault_of

LOOK_S = 5.0  # s between two looks


class Absence:
    """Takes note of what a process finds of its database, look by look."""

    def __init__(self, log: logging.Logger, consequence: str) -> None:
        """`consequence` is what is answered meanwhile, after the reason."""
        self._log, self._consequence = log, consequence
        self._lack = ""
        self.said: str | None = None  # what keeps everybody from working, for people; None where nothing does

    def found(self, error: Exception | None) -> None:
        """Say what the look found, if it is not what the look before has found; None is a database that works."""
        lack = "" if error is None else lack_of(error)
        if error is None and self._lack:
            self._log.info("the database answers again")
        elif error is not None and not lack:
            self._log.debug("a look at the database failed: %s", told(error))
            return
        elif error is not None and lack != self._lack:  # or whoever starts with a wrong address would see nothing
            self._log.warning("%s; %s until it works", told(error), self._consequence)
        self._lack, self.said = lack, fault_of(error).message if error is not None else None


def lack_of(error: Exception) -> str:
    """What keeps everybody from working until it passes or somebody ends it, the same word each time; "" if nothing."""
    trouble = trouble_of(error)
    if trouble is not None:
        return trouble.state if trouble.remedy is Remedy.WAIT else ""
    if isinstance(error, DatabaseUnreachable):
        return error.state
    return type(error).__name__ if isinstance(error, DatabaseRefuses | SchemaOutdated) else ""


class Attendance(Background):
    """Looks at the database in a thread of its own, from `with` to the end of it, where nobody may ask for a page."""

    def __init__(self, db: Database, absence: Absence) -> None:
        super().__init__("attendance")
        self._db, self._absence = db, absence

    def _work(self) -> None:
        while not self._done.wait(LOOK_S):
            try:
                self._db.check_ready()
            except Exception as error:
                self._absence.found(error)
            else:
                self._absence.found(None)
