"""What is made of a whole study's results: made once for each state of the study, and few at a time.

A report of 100,000 trials takes seconds of one core and some hundred megabytes.
"""

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.reports import Results, html_report, report_body
from service.storage.database.database import Database
from service.storage.states import StudyState
from service.storage.studies import studies
from service.storage.studies.extent import mark_of
from service.web.report import results_of

AT_ONCE = 2  # of different studies; of one study one
WAITING = 20  # further requests, each of which holds one of the server's 40 threads
WAIT_S = 30.0
KEPT_BYTES = 64 << 20  # compressed
LASTING_S = 60.0  # s for which the elapsed time of a study that goes on may be old


def page_of(results: Results) -> bytes:
    """The report as one HTML page, in UTF-8."""
    return html_report(results).encode()


def body_of(results: Results) -> bytes:
    """The report as what stands on a page of ours that loads its style sheet and programs, in UTF-8."""
    return report_body(results).encode()


class ReportsBusy(Exception):
    """Others are being made, and there is no room to wait, or the wait was long."""

    def __init__(self) -> None:
        super().__init__("reports of large studies are being made: ask again shortly")


@dataclass(frozen=True)
class _Made:
    mark: str
    at: float  # time.monotonic() at the end
    content: bytes  # compressed


class Reports:
    """Makes reports and files of results for a server, and keeps them in memory, the latest used longest."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[int, str], _Made] = OrderedDict()
        self._free = threading.Condition()
        self._busy: set[int] = set()  # studies
        self._waiting = 0

    def made(self, name: str, what: str, make: Callable[[Results], bytes], *, whole: bool = False) -> bytes:
        """Return `make` of the study's results, which are those of now or of a moment since the call; `what` names it.

        `whole` is for what cannot say that it was made from a part of a very large study.

        Raises:
            UnknownStudy: there is no such study.
            ReportsBusy: others are being made; ask again.
        """
        asked = time.monotonic()
        study = studies.get(self._database, name)
        key = (study.id, what)
        kept = self._found(key, self._mark(study.id, study.state), asked)
        if kept is not None:
            return kept
        with self._turn(study.id):
            study = studies.get(self._database, name)
            mark = self._mark(study.id, study.state)
            kept = self._found(key, mark, asked)  # another request for it has just ended
            if kept is not None:
                return kept
            content = make(results_of(self._database, study, whole=whole))
            self._keep(key, _Made(mark, time.monotonic(), zlib.compress(content, 1)))
            return content

    def _mark(self, study_id: int, state: StudyState) -> str:
        """What a report depends on: the study, and while it goes on the time that it has taken."""
        goes_on = state in (StudyState.RUNNING, StudyState.PAUSED)
        return f"{mark_of(self._database, study_id)} {time.monotonic() // LASTING_S if goes_on else ''}"

    def _found(self, key: tuple[int, str], mark: str, asked: float) -> bytes | None:
        with self._free:
            made = self._kept.get(key)
            if made is None or (made.mark != mark and made.at < asked):
                return None
            self._kept.move_to_end(key)
        return zlib.decompress(made.content)

    def _keep(self, key: tuple[int, str], made: _Made) -> None:
        with self._free:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while sum(len(one.content) for one in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)

    @contextmanager
    def _turn(self, study_id: int) -> Iterator[None]:
        def is_free() -> bool:
            return study_id not in self._busy and len(self._busy) < AT_ONCE

        with self._free:
            if not is_free():
                if self._waiting == WAITING:
                    raise ReportsBusy
                self._waiting += 1
                try:
                    if not self._free.wait_for(is_free, WAIT_S):
                        raise ReportsBusy
                finally:
                    self._waiting -= 1
            self._busy.add(study_id)
        try:
            yield
        finally:
            with self._free:
                self._busy.discard(study_id)
                self._free.notify_all()
