"""The order of a large table, kept while somebody reads it: its later pages neither wait for it nor shift."""

from collections.abc import Callable, Sequence

from service.dashboard.trials.kept import Kept
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.studies import selection, trials
from service.storage.studies.selection import Wanted

ORDERS, ORDER_S = 64, 120.0  # an order of 100,000 runs takes 4 MB
CHARTS, CHART_S = 32, 20.0  # a chart's data take 150 kB


class Choices:
    """Pages of runs that are wanted, for a server, and the data of their charts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._orders: Kept[Sequence[int]] = Kept(ORDERS, ORDER_S)
        self._charts: Kept[bytes] = Kept(CHARTS, CHART_S)

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

        def ids() -> Sequence[int]:
            return [row.id for row in selection.chosen(self._database, study, wanted)]

        return self._orders.get((study.id, wanted), ids, anew=anew)

    def chart(self, study: StudyRecord, make: Callable[[], bytes]) -> bytes:
        """Return the data of the study's chart, which are at most CHART_S old."""
        return self._charts.get(study.id, make)
