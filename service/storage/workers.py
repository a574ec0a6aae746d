"""Who works: every worker registers itself and is seen with each renewal."""

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from service.storage.database import Database
from service.storage.records import WorkerRecord
from service.storage.tables import runs, studies, workers

SILENT_S = 60  # s without a sign of life after which a worker is no longer listed


def register(db: Database, host: str, pid: int, device: str) -> str:
    """Add a worker and return its id."""
    worker_id = str(uuid.uuid4())
    with db.engine.begin() as connection:
        connection.execute(workers.insert().values(id=worker_id, host=host, pid=pid, device=device))
    return worker_id


def seen(db: Database, worker_id: str) -> None:
    """Note that the worker is alive."""
    with db.engine.begin() as connection:
        connection.execute(workers.update().where(workers.c.id == worker_id).values(seen_at=sa.func.now()))


def stopped(db: Database, worker_id: str) -> None:
    """Note that the worker has left in order. Its row stays, since its runs name it."""
    with db.engine.begin() as connection:
        connection.execute(workers.update().where(workers.c.id == worker_id).values(stopped_at=sa.func.now()))


def alive(db: Database) -> list[WorkerRecord]:
    """Return the workers seen in the last minute that have not left."""
    busy_with = (
        sa.select(runs.c.worker_id, studies.c.name, runs.c.trial_number)
        .join(studies, studies.c.id == runs.c.study_id)
        .where(runs.c.state == "running")
        .ext(distinct_on(runs.c.worker_id))
        .subquery()
    )
    query = (
        sa.select(workers, busy_with.c.name.label("study"), busy_with.c.trial_number)
        .outerjoin(busy_with, busy_with.c.worker_id == workers.c.id)
        .where(workers.c.stopped_at.is_(None))
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
                state="idle" if row.study is None else "busy",
                started_at=row.started_at,
                seen_at=row.seen_at,
                study=row.study,
                trial=row.trial_number,
            )
            for row in connection.execute(query)
        ]
