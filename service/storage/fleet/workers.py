"""The workers: each registers itself and is seen with every renewal.

An asker of an own loop is one that serves a single study, over REST. It is no part of the fleet.
"""

import uuid
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.database.tables import runs, studies, workers
from service.storage.errors import UnknownWorker
from service.storage.records import DeviceMemory, WorkerRecord
from service.storage.runs import clock, held_up
from service.storage.runs.clock import SILENT_S

OWN_LOOP = "own loop"  # stands where a worker names its device

_FORGET = sa.text(
    """
    DELETE FROM fleet.workers WHERE id IN (
        SELECT id FROM fleet.workers w WHERE coalesce(stopped_at, seen_at) < now() - interval '1 day'
            AND (study_id IS NOT DISTINCT FROM cast(:study AS bigint) OR study_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM fleet.studies s WHERE s.id = w.study_id AND s.finished_at IS NULL))
            AND NOT EXISTS (SELECT FROM fleet.runs WHERE worker_id = w.id) FOR UPDATE SKIP LOCKED)
    """
)


def register(db: Database, host: str, pid: int, device: str) -> str:
    """Add a worker and return its id. Workers that were gone for a day and are named by no run are deleted."""
    worker_id = str(uuid.uuid4())
    with db.engine.begin() as connection:
        clock.catch_up(connection)
        connection.execute(_FORGET, {"study": None})
        connection.execute(workers.insert().values(id=worker_id, host=host, pid=pid, device=device))
    return worker_id


def check_in_asker(db: Database, study_id: int, asker_id: str, host: str, pid: int) -> bool:
    """Note that the asker of an own loop is alive, and return whether it may stay.

    It is added where the database does not know it: its first word, or its first after a silent day. It has chosen its
    own id, so that a word whose answer was lost can be said again.

    Raises:
        UnknownWorker: the id is a worker's of the fleet, or an asker's of another study.
    """
    new = insert(workers).values(id=asker_id, host=host, pid=pid, device=OWN_LOOP, study_id=study_id)
    again = new.on_conflict_do_update(
        index_elements=[workers.c.id],
        set_={"seen_at": sa.func.now(), "stopped_at": None, "host": host, "pid": pid},
        where=workers.c.study_id == study_id,
    )
    with db.engine.begin() as connection:
        clock.catch_up(connection, study_id)
        connection.execute(_FORGET, {"study": study_id})
        return _stays(connection.execute(again.returning(workers.c.drain)), asker_id)


def check_in(db: Database, worker_id: str, study_id: int | None = None, memory: DeviceMemory | None = None) -> bool:
    """Note that the worker is alive, and return whether it may stay: False if it was asked to leave.

    `study_id` is that of an asker's study, `memory` that of the worker's device; None leaves what it has said before.

    Raises:
        UnknownWorker: it was silent for a day and was deleted, or an older database was restored.
    """
    said = {} if memory is None else {f"memory_{part}": size for part, size in asdict(memory).items()}
    here = workers.update().where(workers.c.id == worker_id).values(seen_at=sa.func.now(), **said)
    here = here.returning(workers.c.drain)
    with db.engine.begin() as connection:
        clock.catch_up(connection, study_id)
        return _stays(connection.execute(here), worker_id)


def may_stay(db: Database, worker_id: str) -> bool:
    """Return what `check_in` returns, but write nothing: this is no sign of life."""
    with db.engine.connect() as connection:
        return _stays(connection.execute(sa.select(workers.c.drain).where(workers.c.id == worker_id)), worker_id)


def memory_of(row: sa.Row[Any]) -> DeviceMemory | None:
    """What the row of a worker says of its device's memory."""
    if row.memory_used is None or row.memory_total is None:
        return None
    return DeviceMemory(row.memory_held, row.memory_used, row.memory_total)


def _stays(drains: sa.CursorResult[Any], worker_id: str) -> bool:
    asked_to_leave = drains.scalar_one_or_none()
    if asked_to_leave is None:
        raise UnknownWorker(worker_id)
    return not asked_to_leave


def drain(db: Database, worker_id: str) -> None:
    """Ask the worker to leave: it hands its run back, with a checkpoint, and takes no other. Asking again changes
    nothing.

    Raises:
        UnknownWorker: there is none of this id, or it has left.
    """
    there = sa.select(workers.c.drain).where(workers.c.id == worker_id, workers.c.stopped_at.is_(None))
    with db.engine.begin() as connection:
        if _stays(connection.execute(there.with_for_update()), worker_id):
            connection.execute(workers.update().where(workers.c.id == worker_id).values(drain=True))
            ordered.note(connection, None)


def leave(db: Database, worker_id: str) -> None:
    """Note that the worker has left as it should. Its row stays, since its runs name it."""
    with db.engine.begin() as connection:
        connection.execute(workers.update().where(workers.c.id == worker_id).values(stopped_at=sa.func.now()))


def alive(db: Database) -> list[WorkerRecord]:
    """Return the workers, askers of own loops among them, seen in the last minute that have not left.

    A worker without a run is held up while a search with a lag has runs that wait for those before them.
    """
    free = "idle" if held_up.held_up(db) is None else "held up"
    serves = sa.select(studies.c.name).where(studies.c.id == workers.c.study_id).scalar_subquery()
    busy_with = (
        sa.select(runs.c.worker_id, studies.c.name, runs.c.trial_number)
        .join(studies, studies.c.id == runs.c.study_id)
        .where(runs.c.state == "running")
        .ext(distinct_on(runs.c.worker_id))
        .subquery()
    )
    query = (
        sa.select(workers, busy_with.c.name.label("study"), busy_with.c.trial_number, serves.label("serves"))
        .outerjoin(busy_with, busy_with.c.worker_id == workers.c.id)
        .where(workers.c.stopped_at.is_(None), sa.or_(workers.c.study_id.is_(None), serves.is_not(None)))
        .where(workers.c.seen_at > sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, SILENT_S))
        .order_by(workers.c.started_at, workers.c.id)
    )
    with db.engine.connect() as connection:
        return [
            WorkerRecord(
                id=row.id,
                name=f"{row.host}:{row.pid}",
                host=row.host,
                pid=row.pid,
                device=row.device,
                state="leaving" if row.drain else "busy" if row.study else free if row.study_id is None else "idle",
                started_at=row.started_at,
                seen_at=row.seen_at,
                study=row.study,
                trial=row.trial_number,
                serves=row.serves,
                memory=memory_of(row),
            )
            for row in connection.execute(query)
        ]
