"""Who ordered what, of which study, and when. A row is bounded and has no secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.storage.database.access_tables import deeds
from service.storage.database.database import Database

LONGEST_NAME = 200  # characters of a caller's or a study's name
LONGEST_DETAIL = 500  # characters


@dataclass(frozen=True)
class Deed:
    """Something that somebody ordered, and that was done."""

    id: int
    at: datetime
    caller: str
    deed: str
    study: str | None  # its name, also when it is gone
    detail: str  # JSON, cut where it is long


def note(db: Database, caller: str, deed: str, study: str | None, detail: Mapping[str, Any] | None = None) -> None:
    """Note what was done. Whatever is long is cut, and every letter but ASCII is escaped: any database can store it."""
    said = json.dumps(detail, ensure_ascii=True, default=str) if detail else ""
    row = {
        "caller": _plain(caller),
        "deed": _plain(deed),
        "study": None if study is None else _plain(study),
        "detail": said if len(said) <= LONGEST_DETAIL else f"{said[: LONGEST_DETAIL - 3]}...",
    }
    with db.engine.begin() as connection:
        connection.execute(deeds.insert().values(row))


def page(db: Database, study: str | None, limit: int, offset: int) -> tuple[list[Deed], int]:
    """Return `limit` deeds after the first `offset`, the newest first, and how many there are; None is all studies."""
    chosen = sa.true() if study is None else deeds.c.study == study
    with db.engine.connect() as connection:
        total: int = connection.execute(sa.select(sa.func.count()).select_from(deeds).where(chosen)).scalar_one()
        wanted = sa.select(deeds).where(chosen).order_by(deeds.c.id.desc()).limit(limit).offset(offset)
        return [Deed(**row._mapping) for row in connection.execute(wanted)], total


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:LONGEST_NAME].replace("\0", "")
