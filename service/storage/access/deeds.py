"""Who ordered what, of which study, and when: read, and forgotten after a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from service.storage.database.access_tables import deeds
from service.storage.database.database import Database

BATCH = 1000  # rows that one transaction forgets


@dataclass(frozen=True)
class Deed:
    """Something that somebody ordered, and that was done."""

    id: int
    at: datetime
    caller: str
    deed: str
    study: str | None  # its name, also when it is gone
    detail: str  # JSON, cut where it is long


def page(db: Database, study: str | None, limit: int, offset: int) -> tuple[list[Deed], int]:
    """Return `limit` deeds after the first `offset`, the newest first, and how many there are; None is all studies."""
    chosen = sa.true() if study is None else deeds.c.study == study
    with db.engine.connect() as connection:
        total: int = connection.execute(sa.select(sa.func.count()).select_from(deeds).where(chosen)).scalar_one()
        wanted = sa.select(deeds).where(chosen).order_by(deeds.c.id.desc()).limit(limit).offset(offset)
        return [Deed(**row._mapping) for row in connection.execute(wanted)], total


# The oldest rows have the lowest ids, but for some seconds: no index on the time is needed. Only what goes is locked.
_FORGET = sa.text(
    """
    DELETE FROM fleet.deeds WHERE id IN (
        SELECT id FROM fleet.deeds
        WHERE id IN (SELECT id FROM fleet.deeds ORDER BY id LIMIT :batch) AND at < now() - cast(:age AS interval)
        FOR UPDATE SKIP LOCKED)
    """
)


def forget(db: Database, older_than: timedelta) -> bool:
    """Forget up to `BATCH` of the oldest deeds that are older, and return whether more may be.

    Anybody may call this at any time.
    """
    with db.engine.begin() as connection:
        return connection.execute(_FORGET, {"age": older_than, "batch": BATCH}).rowcount == BATCH
