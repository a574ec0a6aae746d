"""Gives a worker or an asker its next run: first one that was begun and lost its holder, then the next that waits.

Workers of the fleet take no runs of own loops, and an asker takes those of its own study alone.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from psycopg2.errors import ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from service.storage.database.database import Database
from service.storage.database.incarnation import INCARNATION
from service.storage.errors import UnknownWorker
from service.storage.records import Lease, parsed_definition
from service.storage.runs import clock, legs, supply
from service.storage.runs.expressions import PLACE, SPENT_S, WHOLE
from service.storage.states import Stage

STUDY = "(SELECT {} FROM fleet.studies WHERE id = runs.study_id)"
_LEASED = f"""
    UPDATE fleet.runs SET state = 'running', token = token + 1, claim = gen_random_uuid(), writes = 0,
        attempts = CASE WHEN state = 'paused' THEN greatest(attempts, 1)
            WHEN worker_id = :worker THEN attempts ELSE attempts + 1 END,
        worker_id = :worker, lease_until = now() + make_interval(secs => :seconds), reason = NULL,
        spent_s = {SPENT_S}, leased_at = now(), started_at = coalesce(runs.started_at, now()), booked = {{booked}}
    FROM next WHERE runs.id = next.id AND {WHOLE}
    RETURNING runs.id AS run_id, runs.study_id, ordinal, {PLACE} AS place, token, attempts, trial_id, trial_number,
        stage, params, first_seed, runs.seeds, claim::text, next.first, {INCARNATION} AS incarnation,
        CASE WHEN {STUDY.format("by_legs")} AND stage = 'search' THEN booked END AS until,
        {STUDY.format("definition::text")} AS definition, {STUDY.format("optuna_study_id")} AS optuna_study_id
"""

# First a run that this worker holds without knowing, since the answer to its claim was lost or the database
# went away; then a dead worker's run, so that begun work comes before new work. `expire` ends runs that were lost
# too often. After the server has started, live holders get time to renew before their runs are taken over.
_ADOPT = f"""
    WITH next AS (
        SELECT r.id, false AS first FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.state = 'running' AND {{whose}} AND (r.worker_id = :worker OR (
            r.lease_until < now() AND s.state <> 'stopped'
            AND pg_postmaster_start_time() < now() - interval '5 seconds'
            AND r.attempts <= (s.definition->>'retries')::int))
        ORDER BY r.lease_until LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
    {_LEASED.format(booked="booked")}
"""

# Where the search has a lag, a run begins when all below it have been asked for, and all below n - lag have ended. One
# that another claim has locked still waits. Runs that are open have no confirmation's runs between them.
IN_ORDER = """
    (s.definition->'sampler'->>'lag' IS NULL OR s.stage <> 'search' OR NOT EXISTS (
        SELECT FROM fleet.runs o WHERE o.study_id = s.id AND o.state IN ('waiting', 'running') AND o.id < r.id
            AND (o.state = 'waiting' OR o.trial_id IS NULL
                OR o.ordinal < r.ordinal - (s.definition->'sampler'->>'lag')::int)))
"""

# Whether runs of the study `s` may begin now, were there any; `now` is the time by its clock.
SERVED = """
    s.state = 'running' AND s.finished_at IS NULL
        AND (s.stage <> 'search' OR s.closing IS NULL AND coalesce({now} < s.started_at
            + make_interval(secs => (s.definition->'budget'->>'wall_time')::float), true))
"""

# The order in which studies are served: the runs in training are counted by the column `running`.
FIRST_SERVED = "s.priority DESC, running, s.id"

# The highest priority first; among equals the study with the fewest running runs, then the oldest. The inner
# query reads one index entry a study, however long the queue. The studies are ordered before the join: a sort
# after it would lock a run of every study, and hide those runs from others. A search that is claimed by legs stands
# here without a run: `legs` chooses that, unless the study is among those that were :asked before.
_TAKE = f"""
    WITH next AS MATERIALIZED (
        SELECT r.id, s.started_at IS NULL AS first, s.id AS study_id, s.by_legs FROM (
            SELECT id, started_at, priority, stage, definition, by_legs AND stage = 'search' AS by_legs,
                (SELECT count(*) FROM fleet.runs WHERE study_id = s.id AND state = 'running') AS running
            FROM fleet.studies s
            WHERE {{whose}} AND {SERVED} AND id <> ALL (cast(:asked AS bigint[]))
            ORDER BY {FIRST_SERVED}) s LEFT JOIN LATERAL (
            SELECT id, ordinal FROM fleet.runs WHERE study_id = s.id AND state = 'waiting' AND NOT s.by_legs
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) r ON true
        WHERE CASE WHEN s.by_legs THEN EXISTS (
                SELECT FROM fleet.runs WHERE study_id = s.id AND state IN ('waiting', 'paused'))
            ELSE r.id IS NOT NULL AND {IN_ORDER} END
        ORDER BY {FIRST_SERVED} LIMIT 1),
    leased AS ({_LEASED.format(booked="booked")})
    SELECT leased.*, next.by_legs, next.study_id AS next_study FROM next LEFT JOIN leased ON leased.run_id = next.id
"""
_TAKE_THE_LEG = sa.text(
    f"""
    WITH next AS (
        SELECT r.id, s.started_at IS NULL AS first FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.id = :run AND r.state IN ('waiting', 'paused') FOR UPDATE OF r)
    {_LEASED.format(booked="coalesce(:until, booked)")}
    """
)
_GOES_ON = sa.text(f"SELECT {SERVED.format(now=clock.NOW.format('s'))} FROM fleet.studies s WHERE s.id = :study")

_BY_THE_FLEET, _BY_AN_ASKER = (
    (
        sa.text(_ADOPT.format(whose=whose, now=now)),
        sa.text(_TAKE.format(whose=whose, now=now)).bindparams(sa.bindparam("asked", value=[])),
    )
    for whose, now in (("NOT s.external", clock.FLEET_NOW), ("s.id = :study", clock.NOW.format("s")))
)

# Never waits: stopping or deleting a study locks the study first and then its runs, and this goes the other way.
_BEGIN = sa.text(
    """
    UPDATE fleet.studies SET started_at = now() WHERE id = (
        SELECT id FROM fleet.studies WHERE id = :id AND started_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)
    """
)


def claim(db: Database, worker_id: str, seconds: float, study_id: int | None = None) -> Lease | None:
    """Lease one run for `seconds`: one whose holder died if there is any, else the next that waits.

    It is one of the study with this id, for an asker, or of any that the fleet serves, for a worker.

    Simultaneous claims do not see each other: among studies of one priority the shares may differ by as many runs
    as there are such claims. A worker holds one run at a time; claiming again before it has ended returns the same
    run with a new token.

    Raises:
        UnknownWorker: no worker has this id; an older state of the database was restored.
    """
    values = {"worker": worker_id, "seconds": seconds, "study": study_id}
    lease = _claim(db, values)
    if lease is not None:
        supply.after_claim(db, lease)
    elif supply.fill_empty(db):
        lease = _claim(db, values)
    return lease


def goes_on(connection: sa.Connection, study_id: int) -> bool:
    """Whether runs of the study may begin now, by its own row: it runs, and no limit has closed it."""
    return connection.execute(_GOES_ON, {"study": study_id}).scalar_one_or_none() is True


def _claim(db: Database, values: Mapping[str, object]) -> Lease | None:
    try:
        row = _claimed(db, values)
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise UnknownWorker(str(values["worker"])) from error
        raise
    if row is None:
        return None
    db.heed(row.pop("incarnation"))
    if row["definition"] is None:  # the study was deleted just now
        return None
    return Lease(**{**row, "stage": Stage(row["stage"]), "definition": parsed_definition(row["definition"])})


def _claimed(db: Database, values: Mapping[str, object]) -> dict[str, Any] | None:
    """Return the claimed run's row, committed."""
    adopt, take = _BY_THE_FLEET if values["study"] is None else _BY_AN_ASKER
    asked: list[int] = []  # studies by legs that have none for this claim
    while True:
        with db.engine.begin() as connection:
            row = None if asked else connection.execute(adopt, values).one_or_none()
            if row is None:
                row = connection.execute(take, {**values, "asked": asked}).one_or_none()
            if row is not None and row._mapping.get("by_legs"):
                asked.append(row.next_study)
                row = _leg_of(connection, row.next_study, values)
                if row is None:
                    continue
            if row is None or row.run_id is None:  # of a database whose tables are not complete yet, no run is taken
                return None
            lease = {name: value for name, value in row._mapping.items() if name not in ("by_legs", "next_study")}
            if lease.pop("first"):
                connection.execute(_BEGIN, {"id": row.study_id})
        return lease


def _leg_of(connection: sa.Connection, study_id: int, values: Mapping[str, object]) -> sa.Row[Any] | None:
    """The run of the study's next leg, leased; None where none may begin now.

    The study may have been stopped or closed while this waited for the lock, and the run cancelled since the choice.
    """
    legs.lock(connection, study_id)
    choice = legs.choose(connection, study_id, holds=True) if goes_on(connection, study_id) else legs.Later()
    if isinstance(choice, legs.Later | legs.Never):
        return None
    until = choice.until if isinstance(choice, legs.Leg) else None
    taken = connection.execute(_TAKE_THE_LEG, {**values, "run": choice.run_id, "until": until}).one_or_none()
    if taken is not None and isinstance(choice, legs.Leg):
        legs.begin(connection, study_id, choice)
    return taken
