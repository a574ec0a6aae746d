"""The order of a large table, kept while somebody reads it: its later pages neither wait for it nor shift."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.studies import selection, trials
from service.storage.studies.selection import Wanted

KEPT = 64  # orders; one of 100,000 runs takes 4 MB
LASTING_S = 120.0
_Key = tuple[int, Wanted]


class Choices:
    """Pages of runs that are wanted, for a server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, tuple[float, Sequence[int]]] = OrderedDict()

    def page(self, study: StudyRecord, wanted: Wanted, limit: int, offset: int) -> tuple[list[TrialRecord], int]:
        """Return what `selection.page` returns. The first page is of now, a later one in the order that it had.

        Raises:
            NotSelectable: as `selection.page`.
        """
        if wanted.is_plain and wanted.stage is None:
            return selection.page(self._database, study, wanted, limit, offset)
        ids = self.order(study, wanted, anew=offset == 0)
        return trials.of_ids(self._database, study, ids[offset : offset + limit]), len(ids)

    def order(self, study: StudyRecord, wanted: Wanted, *, anew: bool) -> Sequence[int]:
        """Return the ids of all runs that are wanted and have rows; an earlier answer's unless `anew`."""
        key = (study.id, wanted)
        kept = None if anew else self._found(key)
        if kept is not None:
            return kept
        ids = [row.id for row in selection.chosen(self._database, study, wanted)]
        with self._lock:
            self._kept[key] = (time.monotonic(), ids)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return ids

    def _found(self, key: _Key) -> Sequence[int] | None:
        with self._lock:
            at, ids = self._kept.get(key, (0.0, None))
            return ids if ids is not None and time.monotonic() - at < LASTING_S else None
