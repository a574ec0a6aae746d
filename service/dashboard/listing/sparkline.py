"""The best value so far of each study as a small line, drawn from the few trials that made it better."""

import threading
from collections.abc import Mapping, Sequence

from service.reports.markup import Html, element
from service.reports.words.wording import number
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import RunState
from service.storage.studies import finding

WIDTH, HEIGHT, EDGE = 120.0, 28.0, 2.0
LONG = 5000  # complete trials from which a study is read again only when it has grown by `GROWN`
GROWN = 0.02
MOST = 2000  # studies that are remembered

Line = Sequence[tuple[int, float]]


class Sparklines:
    """Reads the lines of a page's studies, and again only those of studies that have grown."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[int, tuple[int, Line]] = {}  # complete trials and the line, by study

    def of(self, studies: Sequence[StudyRecord]) -> Mapping[int, Line]:
        """The line of each study, in one statement at most."""
        complete = {study.id: study.counts[RunState.COMPLETE] for study in studies}
        with self._lock:
            known = {study: self._known[study] for study in complete if study in self._known}
        stale = [study for study, count in complete.items() if count and not _is_fresh(count, known.get(study))]
        read = finding.improvements(self._database, stale)
        with self._lock:
            self._known |= {study: (complete[study], line) for study, line in read.items()}
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]
        return {study: read[study] if study in read else known.get(study, (0, ()))[1] for study in complete}


def _is_fresh(count: int, known: tuple[int, Line] | None) -> bool:
    if known is None or count < known[0]:
        return False
    return count == known[0] or (known[0] > LONG and count < known[0] * (1 + GROWN))


def sparkline(study: StudyRecord, line: Line) -> Html | None:
    """The picture; None for a study without a complete trial."""
    if not line:
        return None
    complete = max(study.counts[RunState.COMPLETE], line[-1][0])
    lowest, highest = min(value for _, value in line), max(value for _, value in line)
    across, down = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE

    def x(nth: int) -> str:
        return f"{EDGE + across * (nth - 1) / max(1, complete - 1):.1f}"

    def y(value: float) -> str:
        # The last term is what a line of one value has: it runs through the middle.
        part = (highest - value) / (highest - lowest) if highest > lowest else 0.5
        return f"{EDGE + down * part:.1f}"

    path = f"M{x(line[0][0])} {y(line[0][1])}" + "".join(f"H{x(nth)}V{y(value)}" for nth, value in line[1:])
    path += f"H{EDGE + across:.1f}"
    metric = study.definition.objectives[0].metric
    said = f"best {metric} so far: from {number(line[0][1])} to {number(line[-1][1])} in {complete} complete trials"
    return element(
        "svg",
        element("title", said),
        element("path", d=path),
        element("circle", cx=f"{EDGE + across:.1f}", cy=y(line[-1][1]), r="2"),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="sparkline",
        role="img",
    )
