"""What programs that watch the service read of the database: the queue and the workers as they are, and what has
happened since they began to watch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.fleet.members import members
from service.storage.runs import counting
from service.storage.states import RunState, Stage

MOST = 200  # studies with a series of their own
OTHERS = "(others)"  # stands for all others; no study can have the name
SETTLED_S = 90  # s after which a change's transaction has ended: no statement may take so long

_RUNS = sa.text(
    f"""
    SELECT s.name, {", ".join(f"{' + '.join(f'{stage}_{state}' for stage in Stage)} AS {state}" for state in RunState)},
        s.to_come, s.dropped, s.state AS study_state
    FROM fleet.studies s
    CROSS JOIN LATERAL (SELECT {counting.BY_STAGE} FROM fleet.run_counts WHERE study_id = s.id) counted
    WHERE s.finished_at IS NULL ORDER BY s.priority DESC, s.id
    """
)
_BEGIN = sa.text("SELECT coalesce(max(id), 0) FROM fleet.run_history")
_SETTLED = sa.text(
    f"""
    SELECT coalesce(max(id), :since) FROM fleet.run_history
    WHERE id > :since AND at < now() - interval '{SETTLED_S} seconds'
    """
)
_LOST = "its worker was lost%"  # how `expiry` begins the reason of a run that was lost too often

# The kind of a failure, by how the reasons begin that the agent, the trial process and `expiry` give.
_KIND = f"""
    CASE WHEN h.reason LIKE '{_LOST}' THEN 'worker_lost'
        WHEN h.reason LIKE 'trial_timeout%' THEN 'timeout'
        WHEN h.reason ~* '(out of memory|allocate memory|ALLOC_FAILED)' THEN 'out_of_memory'
        WHEN h.reason ~ '^(NonFiniteLoss|.*became -?(nan|inf))' THEN 'not_finite'
        WHEN h.reason LIKE 'the trial process %' THEN 'process_died'
        WHEN h.reason LIKE 'the database %' THEN 'database'
        ELSE 'error' END
"""

# A claim of a run that another worker held, or the end of one that nobody held any more, is a lost lease.
_CHANGES = sa.text(
    f"""
    SELECT h.id <= :settled AS is_settled, h.state, count(*)::int AS changes,
        CASE WHEN h.state = 'failed' THEN {_KIND} END AS kind,
        before.state = 'running' AND (h.state = 'running' AND h.worker_id IS DISTINCT FROM before.worker_id
            OR h.state = 'failed' AND h.reason LIKE '{_LOST}') AS is_lost
    FROM fleet.run_history h LEFT JOIN LATERAL (
        SELECT state, worker_id FROM fleet.run_history WHERE run_id = h.run_id AND id < h.id ORDER BY id DESC LIMIT 1
    ) before ON true
    WHERE h.id > :since GROUP BY 1, 2, 4, 5
    """
)
_EPOCHS = sa.text(
    """
    SELECT id, epoch, coalesce(started_at > :began, false) AS is_new FROM fleet.runs
    WHERE state = 'running' OR id = ANY(:known) OR id IN (SELECT run_id FROM fleet.run_history WHERE id > :since)
    """
)
_NOW = sa.text("SELECT now()")


@dataclass(frozen=True)
class Happened:
    """What has happened since somebody began to watch."""

    claims: int = 0
    leases_lost: int = 0
    epochs: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)  # runs by state
    failures: Mapping[str, int] = field(default_factory=dict)  # runs by kind


@dataclass(frozen=True)
class Standing:
    """How things are."""

    runs: Mapping[tuple[str, str], int]  # by study and state, of the studies that have not ended
    studies: Mapping[str, int]  # those, by state
    workers: Mapping[str, int]  # by state


def standing(db: Database) -> Standing:
    """Return how things are. Studies beyond the first `MOST` are added up under one name."""
    with db.engine.connect() as connection:
        rows = connection.execute(_RUNS).all()
    runs: Counter[tuple[str, str]] = Counter()
    for place, row in enumerate(rows):
        counts = {state: int(row._mapping[state]) for state in RunState}
        counts[RunState.WAITING] += row.to_come
        counts[RunState.CANCELLED] += row.dropped
        for state, number in counts.items():
            runs[row.name if place < MOST else OTHERS, state] += number
    states = Counter(
        "silent" if one.is_silent else "leaving" if one.is_leaving else "busy" if one.training else "idle"
        for one in members(db)
        if one.serves is None
    )
    return Standing(
        runs=runs,
        studies={state: sum(row.study_state == state for row in rows) for state in ("running", "paused", "stopped")},
        workers={state: states[state] for state in ("busy", "idle", "leaving", "silent")},
    )


class Watch:
    """Counts what happens from its first look on. For one thread at a time.

    Changes of runs are read from their history. Transactions end in another order than their rows have, so those of
    the last `SETTLED_S` seconds are read again at every look, and none is missed or counted twice.
    """

    def __init__(self) -> None:
        self._began: Any = None
        self._since = 0  # the last row of the history that is counted for good
        self._settled: Counter[tuple[str, str]] = Counter()
        self._epochs = 0
        self._known: dict[int, int] = {}  # epochs by run

    def look(self, db: Database) -> Happened:
        """Return what has happened since the first look, at which nothing has.

        Raises:
            One of DATABASE_ERRORS: the database does not answer; nothing is forgotten.
        """
        with db.engine.connect() as connection:
            if self._began is None:
                self._since = connection.execute(_BEGIN).scalar_one()
                self._began = connection.execute(_NOW).scalar_one()
            since = {"since": self._since}
            self._see_epochs(connection, since)
            settled = connection.execute(_SETTLED, since).scalar_one()
            rows = connection.execute(_CHANGES, {**since, "settled": settled}).all()
        recent: Counter[tuple[str, str]] = Counter()
        for row in rows:
            into = self._settled if row.is_settled else recent
            into["state", row.state] += row.changes
            if row.kind is not None:
                into["kind", row.kind] += row.changes
            if row.is_lost:
                into["lost", ""] += row.changes
        self._since = settled
        return _added(self._settled + recent, self._epochs)

    def _see_epochs(self, connection: sa.Connection, since: Mapping[str, int]) -> None:
        values = {**since, "known": list(self._known), "began": self._began}
        seen: dict[int, int] = {}
        for row in connection.execute(_EPOCHS, values):
            before = self._known.get(row.id, 0 if row.is_new else row.epoch)
            self._epochs += max(0, row.epoch - before)
            seen[row.id] = row.epoch
        # Those that have ended are kept for one more look, so that their last epochs are seen.
        open_ones = "SELECT id FROM fleet.runs WHERE id = ANY(:seen) AND state IN ('running', 'waiting', 'paused')"
        recent = sa.text("SELECT DISTINCT run_id FROM fleet.run_history WHERE id > :since")
        kept = {*connection.execute(sa.text(open_ones), {"seen": list(seen)}).scalars()}
        kept |= {*connection.execute(recent, since).scalars()}
        self._known = {run: epoch for run, epoch in seen.items() if run in kept}


def _added(counts: Counter[tuple[str, str]], epochs: int) -> Happened:
    def of(what: str) -> dict[str, int]:
        return {name: number for (kind, name), number in counts.items() if kind == what}

    states = of("state")
    return Happened(
        claims=states.get(RunState.RUNNING, 0),
        leases_lost=counts["lost", ""],
        epochs=epochs,
        ended={
            state: states.get(state, 0)
            for state in (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED)
        },
        failures=of("kind"),
    )


KINDS = ("error", "out_of_memory", "not_finite", "timeout", "worker_lost", "process_died", "database")
