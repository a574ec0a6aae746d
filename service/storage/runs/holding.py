"""The writes of a run's holder, always under its token and its claim.

Each of them is counted in the run's row and, once it is committed, in the lease. A database that was set back to an
earlier state, by a restored dump or otherwise, lacks some of them, and refuses the holder.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from service.storage import scores
from service.storage.database.database import Database
from service.storage.database.tables import examinations, provenances, runs
from service.storage.errors import LeaseLost
from service.storage.optuna.statements import REPORT
from service.storage.provenance import Provenance, digest_of
from service.storage.records import CurvePoint, Examination, Lease, Log, Weights
from service.storage.runs import failing, logs
from service.storage.runs.endings import close_finished_studies, end_run
from service.storage.runs.expressions import HELD, SPENT_S, WHOLE
from service.storage.runs.keeping import note_weights
from service.storage.states import RunState, StudyState, storable

T = TypeVar("T")
Params = Mapping[str, Any]

IS_HELD = f"{HELD.format('runs')} AND runs.state = 'running' AND {WHOLE}"

_EPOCH = sa.text(
    f"""
    WITH held AS (
        UPDATE fleet.runs SET epoch = :epoch, writes = writes + 1 WHERE {IS_HELD}
        RETURNING id, trial_id, writes),
    written AS (
        INSERT INTO fleet.curves (run_id, repeat, epoch, split, metric, value)
        SELECT held.id, p.repeat, p.epoch, p.split, p.metric, p.value FROM held, unnest(
            cast(:repeats AS int[]), cast(:epochs AS int[]), cast(:splits AS text[]), cast(:metrics AS text[]),
            cast(:values AS float8[])
        ) AS p (repeat, epoch, split, metric, value)
        ON CONFLICT (run_id, repeat, epoch, split, metric) DO UPDATE SET value = excluded.value),
    reported AS ({REPORT})
    SELECT writes FROM held
    """
)

_EARLIER = sa.text("SELECT provenance FROM fleet.runs WHERE id = :run")

_ANEW = sa.text(
    "WITH c AS (DELETE FROM fleet.curves WHERE run_id = :run) DELETE FROM fleet.examinations WHERE run_id = :run"
)

_RENEW = sa.text(
    f"""
    UPDATE fleet.runs r SET lease_until = now() + make_interval(secs => :seconds)
    FROM fleet.studies s WHERE s.id = r.study_id AND {HELD.format("r")} AND r.state = 'running'
    RETURNING s.state
    """
)

_HAND_BACK = sa.text(
    f"""
    UPDATE fleet.runs SET state = 'waiting', attempts = attempts - :forgiven, worker_id = NULL, reason = :reason,
        spent_s = {SPENT_S}, leased_at = NULL, lease_until = NULL
    WHERE {IS_HELD}
    """
)


def renew(db: Database, lease: Lease, seconds: float) -> StudyState:
    """Hold the run for `seconds` from now and return the state of its study.

    Raises:
        LeaseLost: another worker holds the run, it was cancelled, or its study is gone.
    """
    with db.single() as connection:
        row = connection.execute(_RENEW, {"seconds": seconds, **key(lease)}).one_or_none()
    if row is None:
        raise LeaseLost(lease.run_id, lease.token)
    return StudyState(row.state)


def under_lease(db: Database, lease: Lease, call: Callable[[], T]) -> T:
    """Return `call()`, made while the run cannot be taken over; what it does with `db.optuna` is committed with the
    check of the token, or not at all.

    Raises:
        LeaseLost: as for `renew`; `call` was not made.
    """
    with db.transaction() as connection:
        writes = change(connection, lease)
        done = call()
    lease.written.count = writes
    return done


def attach(
    db: Database, lease: Lease, trial_id: int | None, trial_number: int | None, params: Params | None = None
) -> None:
    """Note which Optuna trial the run has become, if any, and drop what earlier holders recorded: training starts anew.

    `params` are those that the sampler suggested, without fixed ones; None leaves them as they are.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        writes = note_trial(connection, lease, trial_id, trial_number, params)
    lease.written.count = writes


def note_trial(
    connection: sa.Connection, lease: Lease, trial_id: int | None, trial_number: int | None, params: Params | None
) -> int:
    """Do what `attach` does in the caller's transaction, and return the number of this write."""
    number = sa.func.coalesce(runs.c.trial_number, trial_number)  # a trial that is retried keeps its own
    suggested = {} if params is None else {"params": dict(params)}
    writes = change(
        connection, lease, trial_id=trial_id, trial_number=number, epoch=0, facts=dict[str, object](), **suggested
    )
    connection.execute(_ANEW, {"run": lease.run_id})
    return writes


def note_facts(db: Database, lease: Lease, facts: Mapping[str, Any], provenance: Provenance | None = None) -> None:
    """Store what the trial process reported of itself: the backend that ran, parameter count, device; and where the
    run comes from.

    A run that goes on where a holder of another provenance stopped has that one's digest in the fact `begun_under`.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        noted: dict[str, Any] = {"facts": dict(facts)}
        if provenance:
            noted["provenance"] = digest = digest_of(provenance)
            row = {"hash": digest, "content": dict(provenance)}
            connection.execute(insert(provenances).values(row).on_conflict_do_nothing())
            if "resumed_after_epoch" in facts:
                earlier = connection.execute(_EARLIER, {"run": lease.run_id}).scalar_one_or_none()
                if earlier not in (None, digest):
                    noted["facts"]["begun_under"] = earlier
        writes = change(connection, lease, **noted)
    lease.written.count = writes


def record_epoch(
    db: Database, lease: Lease, epoch: int, points: Sequence[CurvePoint], report: tuple[int, float] | None = None
) -> None:
    """Write an epoch's curve points, replacing earlier ones, and the report for Optuna's pruner.

    `epoch` is counted over all repeats, for watching the run; the points have their own.
    `report` is a step with a finite value. This writes it into Optuna's own table, so that a stale holder's report
    is refused like everything else it writes, and in the same transaction; `Trial.report` cannot do that.

    Raises:
        LeaseLost: as for `renew`.
    """
    step, reported = report or (None, None)
    fields = ("repeat", "epoch", "split", "metric", "value")
    columns = {f"{field}s": [getattr(point, field) for point in points] for field in fields}
    values = {**key(lease), "epoch": epoch, **columns, "step": step, "reported": reported}
    with db.single() as connection:
        writes = connection.execute(_EPOCH, values).scalar_one_or_none()
    if writes is None:
        raise LeaseLost(lease.run_id, lease.token)
    lease.written.count = writes


def record_examination(db: Database, lease: Lease, examination: Examination) -> None:
    """Write what the model of a repeat says of one set of inputs, replacing an earlier record of the same.

    Raises:
        LeaseLost: as for `renew`.
        ValueError: the examination is another run's, or its scores have no layout (see `service.storage.scores`).
    """
    if examination.run_id != lease.run_id:
        raise ValueError(f"an examination of run {examination.run_id} does not belong to run {lease.run_id}")
    row = {field: getattr(examination, field) for field in examinations.c.keys()}  # noqa: SIM118 (no mapping)
    row["figures"] = {name: value if isfinite(value) else None for name, value in examination.figures.items()}
    row["scores"] = scores.packed(examination.scores)
    written = insert(examinations).values(row)
    replaced = written.on_conflict_do_update(constraint=examinations.primary_key, set_=dict(written.excluded))
    with db.engine.begin() as connection:
        writes = change(connection, lease)
        connection.execute(replaced)
    lease.written.count = writes


def record_log(db: Database, lease: Lease, log: Log) -> None:
    """Write what the trial has written so far, for whoever follows it, and in case that this worker is lost.

    It is not counted among the holder's writes: a database that lacks it lacks nothing that the run needs.

    Raises:
        LeaseLost: as for `renew`.
    """
    with db.engine.begin() as connection:
        if not is_held(connection, lease):
            raise LeaseLost(lease.run_id, lease.token)
        logs.write(connection, lease, log)


def finish(
    db: Database,
    lease: Lease,
    state: RunState,
    *,
    reason: str | None = None,
    best_epoch: int | None = None,
    values: Sequence[float] | None = None,
    kept: Sequence[Weights] = (),
    log: Log | None = None,
    tell: Callable[[], object],
) -> set[int]:
    """End the run. `tell` ends its Optuna trial through `db.optuna`, in the same transaction.

    `values`, one per objective, are needed where there is no such trial. `kept` are the weights of each repeat, and
    `log` is what its trial has written. Returned are the runs of the study's search whose weights are no longer kept,
    since this one is better. A study whose first runs fail alike pauses (see `failing`).

    The run cannot be taken over between the check of the token and Optuna's record, and if this process dies before
    the commit, neither the trial nor the run has ended. Called again after a commit whose answer was lost, it finds
    that the run has ended, and returns.

    Raises:
        LeaseLost: as for `renew`; `tell` was not called.
    """
    with db.transaction() as connection:
        may_pause = failing.may_pause(connection, lease.study_id, state)
        if is_held(connection, lease):
            tell()
            if log is not None:
                logs.write(connection, lease, log)
            end_run(connection, lease.run_id, state, reason, best_epoch=best_epoch, values=values)
            beaten = note_weights(connection, lease, kept)
            if may_pause:
                failing.pause_if_alike(connection, lease.study_id, lease.stage, reason)
        else:
            refuse_unless_brought_to(connection, lease, state)
            beaten = set()
    close_finished_studies(db, lease.study_id)
    return beaten


def hand_back(
    db: Database, lease: Lease, reason: str | None = None, *, attempted: bool = False, log: Log | None = None
) -> None:
    """Put the run back for another worker. It is safe to repeat, as `finish` is.

    `reason` is for the run's history, and `log` is what its trial has written. `attempted` makes the attempt count;
    without it, leaving is no failed attempt.
    """
    values = {**key(lease), "reason": reason and storable(reason), "forgiven": 0 if attempted else 1}
    with db.engine.begin() as connection:
        if log is not None and is_held(connection, lease):
            logs.write(connection, lease, log)
        if connection.execute(_HAND_BACK, values).rowcount == 0:
            refuse_unless_brought_to(connection, lease, RunState.WAITING)
    close_finished_studies(db, lease.study_id)  # the study may have been stopped meanwhile


def is_held(connection: sa.Connection, lease: Lease) -> bool:
    """Whether this holder still has the run; it cannot be taken over until the transaction ends.

    For a transaction that changes the run afterwards. A second change of a row in one transaction would lock its study,
    which a deletion locks before the run.
    """
    held = f"SELECT 1 FROM fleet.runs WHERE {IS_HELD} FOR UPDATE"
    return connection.execute(sa.text(held), key(lease)).one_or_none() is not None


def refuse_unless_brought_to(connection: sa.Connection, lease: Lease, state: RunState) -> None:
    """Raise LeaseLost unless an earlier call, whose answer was lost, has brought the run to this state."""
    done = f"SELECT 1 FROM fleet.runs WHERE {HELD.format('runs')} AND state = :state"
    if connection.execute(sa.text(done), {**key(lease), "state": state}).one_or_none() is None:
        raise LeaseLost(lease.run_id, lease.token)


def key(lease: Lease) -> dict[str, object]:
    """The values that `IS_HELD` takes."""
    return {"run": lease.run_id, "token": lease.token, "claim": lease.claim, "writes": lease.written.count}


def change(connection: sa.Connection, lease: Lease, **values: object) -> int:
    """Change the run's row and return the number of this write; the run cannot be taken over until the transaction
    ends."""
    held = runs.update().where(sa.text(IS_HELD).bindparams(**key(lease)))
    changed = connection.execute(held.values(**values, writes=runs.c.writes + 1).returning(runs.c.writes))
    writes: int | None = changed.scalar_one_or_none()
    if writes is None:
        raise LeaseLost(lease.run_id, lease.token)
    return writes
