"""What faults cost: every run's progress, looked at a few times a second past the broken network."""

import threading
import time
from dataclasses import dataclass, replace

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.database.sqlstates import DATABASE_ERRORS
from tests.chaos.background import Background

LOOK_S = 0.25
OPEN = ("waiting", "running")

_SEEN = sa.text(
    """
    SELECT r.id, r.state, r.token, r.epoch, (r.facts->>'resumed_after_epoch')::int AS resumed, w.pid
    FROM fleet.runs r LEFT JOIN fleet.workers w ON w.id = r.worker_id WHERE r.token > 0
    """
)


@dataclass(frozen=True)
class Sight:
    """A run at a moment."""

    at: float  # s of time.monotonic
    state: str
    token: int
    epoch: int  # over all repeats
    resumed: int | None  # the epoch that its holder carried on after; None from the start
    pid: int | None  # of its worker

    @property
    def running(self) -> bool:
        return self.state == "running"

    def is_of_its_holder(self, before: "Sight") -> bool:
        """Whether the figures are a new holder's: between its claim and its first word they are the last one's."""
        return bool(self.resumed or self.epoch) and (self.epoch, self.resumed) != (before.epoch, before.resumed)


@dataclass(frozen=True)
class Cost:
    """What one fault cost: runs that were in training where it struck, epochs trained again, s until all went on."""

    hit: int
    lost: int
    recovered_s: float | None  # None: some have not gone on


class Observer(Background):
    """Remembers every change of every run, until the end of the block."""

    def __init__(self, url: str) -> None:
        super().__init__(LOOK_S)
        self._db = Database.open(url)
        self._seen: dict[int, list[Sight]] = {}
        self._paused = threading.Event()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._db.close()

    def in_training(self, pids: set[int] | None = None) -> list[int]:
        """The runs in training now, those of some workers or all."""
        last = {run: sights[-1] for run, sights in list(self._seen.items())}
        return [run for run, sight in last.items() if sight.running and (pids is None or sight.pid in pids)]

    def cost(self, runs: list[int], since: float) -> Cost:
        """What a fault at `since` cost the `runs` that it hit."""
        lost, recovered = 0, since
        for run in runs:
            before = [sight for sight in self._seen[run] if sight.at <= since][-1]
            reached = before
            for sight in (sight for sight in self._seen[run] if sight.at > since):
                if sight.state not in OPEN or (sight.token == reached.token and sight.epoch > before.epoch):
                    recovered = max(recovered, sight.at)
                    break
                if sight.token != reached.token and sight.is_of_its_holder(reached):
                    lost += max(0, reached.epoch - (sight.resumed or 0))
                    reached = sight
                elif sight.token == reached.token and sight.epoch > reached.epoch:
                    reached = sight
            else:
                return Cost(len(runs), lost, None)
        return Cost(len(runs), lost, recovered - since)

    def pause(self) -> None:
        """Look at nothing until `forget`."""
        self._paused.set()

    def forget(self) -> None:
        """Begin anew: the database was set back. What was seen before counts as recovered."""
        now = time.monotonic()
        for sights in self._seen.values():
            sights.append(replace(sights[-1], at=now, state="set back"))
        self._paused.clear()

    def turn(self) -> None:
        if self._paused.is_set():
            return
        try:
            with self._db.engine.connect() as connection:
                rows = connection.execute(_SEEN).all()
        except DATABASE_ERRORS:
            return
        now = time.monotonic()
        for row in rows:
            sights = self._seen.setdefault(row.id, [])
            sight = Sight(now, row.state, row.token, row.epoch, row.resumed, row.pid)
            if not sights or sight != Sight(now, *_figures(sights[-1])):
                sights.append(sight)


def _figures(sight: Sight) -> tuple[str, int, int, int | None, int | None]:
    return sight.state, sight.token, sight.epoch, sight.resumed, sight.pid
