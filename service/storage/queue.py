"""The queue of runs: one row per unit of a study's budget, leased with a fencing token.

Legal paths of a run: waiting -> running -> complete | pruned | failed | cancelled, running -> waiting when a
holder hands it back, running -> running when a lease ends and another worker takes over, waiting -> cancelled.
Every write of a holder names its token and is refused in the same transaction once the token has grown.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from service.storage.database import Database
from service.storage.endings import close_finished_studies, end_run
from service.storage.errors import LeaseLost
from service.storage.records import CurvePoint, Lease, RunState, StudyState
from service.storage.tables import curves, runs

T = TypeVar("T")

_LEASED = """
    UPDATE fleet.runs SET state = 'running', token = token + 1,
        attempts = attempts + CASE WHEN worker_id = :worker THEN 0 ELSE 1 END,
        worker_id = :worker, lease_until = now() + make_interval(secs => :seconds),
        started_at = coalesce(runs.started_at, now())
    FROM next WHERE runs.id = next.id
    RETURNING runs.id, runs.study_id, ordinal, token, attempts, trial_id, trial_number, next.first
"""

# First a run that this worker holds without knowing, since the answer to its claim was lost or the database
# went away under it; then a dead worker's run, so that nothing started is left lying while new work is begun.
# What was lost too often is left to `expire`. A server that has just started gives live holders time to renew
# before anybody takes their runs over.
_ADOPT = sa.text(
    """
    WITH next AS (
        SELECT r.id, false AS first FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.state = 'running' AND (r.worker_id = :worker OR (
            r.lease_until < now() AND s.state <> 'stopped'
            AND pg_postmaster_start_time() < now() - interval '5 seconds'
            AND r.attempts <= (s.definition->>'retries')::int))
        ORDER BY r.lease_until LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
    """
    + _LEASED
)

# Oldest study first. The inner query touches one index entry a study, however long the queue. The studies are
# ordered before the join: a sort after it would lock a run of every study, and hide those runs from others.
_TAKE = sa.text(
    """
    WITH next AS (
        SELECT r.id, s.started_at IS NULL AS first FROM (
            SELECT id, started_at FROM fleet.studies
            WHERE state = 'running' AND finished_at IS NULL
                AND coalesce(now() < started_at
                    + make_interval(secs => (definition->'budget'->>'wall_time')::float), true)
            ORDER BY id) s CROSS JOIN LATERAL (
            SELECT id FROM fleet.runs WHERE study_id = s.id AND state = 'waiting'
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) r
        ORDER BY s.id LIMIT 1)
    """
    + _LEASED
)

_EPOCH = sa.text(
    """
    WITH held AS (
        UPDATE fleet.runs SET epoch = :epoch WHERE id = :run AND token = :token AND state = 'running'
        RETURNING id, trial_id),
    written AS (
        INSERT INTO fleet.curves (run_id, repeat, epoch, split, metric, value)
        SELECT held.id, p.repeat, p.epoch, p.split, p.metric, p.value FROM held, unnest(
            cast(:repeats AS int[]), cast(:epochs AS int[]), cast(:splits AS text[]), cast(:metrics AS text[]),
            cast(:values AS float8[])
        ) AS p (repeat, epoch, split, metric, value)
        ON CONFLICT (run_id, repeat, epoch, split, metric) DO UPDATE SET value = excluded.value),
    reported AS (
        INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
        SELECT held.trial_id, :step, :reported, 'FINITE' FROM held
        WHERE cast(:step AS int) IS NOT NULL AND held.trial_id IS NOT NULL
        ON CONFLICT (trial_id, step) DO NOTHING)
    SELECT count(*) FROM held
    """
)

_HELD = "FROM fleet.runs WHERE id = :run AND token = :token AND state = 'running'"


def claim(db: Database, worker_id: str, seconds: float) -> Lease | None:
    """Lease one run for `seconds`: one whose holder died if there is any, else the next that waits.

    A worker holds one run at a time; claiming again without having ended it gives the same run with a new token.
    """
    values = {"worker": worker_id, "seconds": seconds}
    with db.engine.begin() as connection:
        row = connection.execute(_ADOPT, values).one_or_none() or connection.execute(_TAKE, values).one_or_none()
        if row is None:
            return None
        *lease, first = row
        if first:
            # Never waits: who stops or deletes a study locks it first and its runs then, we the other way round.
            connection.execute(
                sa.text(
                    """
                    UPDATE fleet.studies SET started_at = now() WHERE id = (
                        SELECT id FROM fleet.studies
                        WHERE id = :id AND started_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)
                    """
                ),
                {"id": row.study_id},
            )
    return Lease(*lease)


def renew(db: Database, lease: Lease, seconds: float) -> StudyState:
    """Hold the run for `seconds` from now and return what its study is meant to do.

    Raises:
        LeaseLost: another worker holds the run, or its study is gone.
    """
    with db.engine.begin() as connection:
        row = connection.execute(
            sa.text(
                """
                UPDATE fleet.runs r SET lease_until = now() + make_interval(secs => :seconds)
                FROM fleet.studies s WHERE s.id = r.study_id
                    AND r.id = :run AND r.token = :token AND r.state = 'running'
                RETURNING s.state
                """
            ),
            {"seconds": seconds, **_key(lease)},
        ).one_or_none()
    if row is None:
        raise LeaseLost(lease.run_id, lease.token)
    return StudyState(row.state)


def under_lease(db: Database, lease: Lease, call: Callable[[], T]) -> T:
    """Return `call()`, made while nobody can take the run over.

    Raises:
        LeaseLost: as for `renew`; `call` was not made.
    """
    with db.engine.begin() as connection:
        _hold(connection, lease)
        return call()


def attach(db: Database, lease: Lease, trial_id: int, trial_number: int) -> None:
    """Note which Optuna trial the run has become; earlier holders' curves are dropped, training starts anew.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        _update(connection, lease, trial_id=trial_id, trial_number=trial_number, epoch=0, facts={})
        connection.execute(curves.delete().where(curves.c.run_id == lease.run_id))


def note_facts(db: Database, lease: Lease, facts: Mapping[str, Any]) -> None:
    """Keep what the trial process said of itself: the backend that ran, parameter count, device.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        _update(connection, lease, facts=dict(facts))


def record_epoch(
    db: Database, lease: Lease, epoch: int, points: Sequence[CurvePoint], report: tuple[int, float] | None = None
) -> None:
    """Write an epoch's curve points (again: they are replaced) and what Optuna's pruner is to hear.

    `epoch` is counted over all repeats, for whoever watches the run; the points have their own.
    `report` is a step with a finite value. It goes into Optuna's own table from here, so that a stale holder's
    report is refused like everything else it writes, and in the same transaction; `Trial.report` cannot do that.

    Raises:
        LeaseLost: as for `renew`.
    """
    step, reported = report or (None, None)
    columns = {
        "repeats": [p.repeat for p in points],
        "epochs": [p.epoch for p in points],
        "splits": [p.split for p in points],
        "metrics": [p.metric for p in points],
        "values": [p.value for p in points],
        "step": step,
        "reported": reported,
    }
    with db.engine.begin() as connection:
        held = connection.execute(_EPOCH, {**_key(lease), "epoch": epoch, **columns}).scalar_one()
    if not held:
        raise LeaseLost(lease.run_id, lease.token)


def finish(
    db: Database,
    lease: Lease,
    state: RunState,
    *,
    reason: str | None = None,
    best_epoch: int | None = None,
    tell: Callable[[], object],
) -> None:
    """End the run. `tell` ends its Optuna trial, and runs while the run's row is locked.

    Under the lock nobody can take the run over between the check of the token and Optuna's record. If this
    process dies after `tell` and before the commit, the next holder finds the trial finished and settles the run.

    Raises:
        LeaseLost: as for `renew`; `tell` was not called.
    """
    with db.engine.begin() as connection:
        _hold(connection, lease)
        tell()
        end_run(connection, lease.run_id, state, reason, best_epoch)
    close_finished_studies(db, lease.study_id)


def hand_back(db: Database, lease: Lease) -> None:
    """Put the run back for another worker; being asked to leave is no failed attempt.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        held = connection.execute(
            sa.text(
                """
                UPDATE fleet.runs SET state = 'waiting', attempts = attempts - 1,
                    worker_id = NULL, lease_until = NULL
                WHERE id = :run AND token = :token AND state = 'running'
                """
            ),
            _key(lease),
        )
        if held.rowcount == 0:
            raise LeaseLost(lease.run_id, lease.token)


def _hold(connection: sa.Connection, lease: Lease) -> None:
    if connection.execute(sa.text(f"SELECT 1 {_HELD} FOR UPDATE"), _key(lease)).one_or_none() is None:
        raise LeaseLost(lease.run_id, lease.token)


def _key(lease: Lease) -> dict[str, int]:
    return {"run": lease.run_id, "token": lease.token}


def _update(connection: sa.Connection, lease: Lease, **values: object) -> None:
    changed = connection.execute(
        runs.update()
        .where(runs.c.id == lease.run_id, runs.c.token == lease.token, runs.c.state == "running")
        .values(**values)
    )
    if changed.rowcount == 0:
        raise LeaseLost(lease.run_id, lease.token)
