"""Links that show one study until they end, to whoever has them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from service.storage.access.secret import LINK, digest_of, made
from service.storage.database import ordered
from service.storage.database.access_tables import shares
from service.storage.database.database import Database
from service.storage.database.tables import studies
from service.storage.errors import StorageError, UnknownStudy


class UnknownShare(StorageError):
    """The study has no such link."""

    def __init__(self, study: str, share: int) -> None:
        super().__init__(f"study {study!r} has no share {share}: `pernodedrop share {study} --list` shows them")


@dataclass(frozen=True)
class Share:
    """A link without its token."""

    id: int
    created_by: str
    created_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    has_ended: bool  # or was revoked


@dataclass(frozen=True)
class Opened:
    """What an open link shows."""

    share: int
    study: str
    ends_at: datetime


_ENDED = (shares.c.revoked_at.is_not(None) | (shares.c.ends_at <= sa.func.now())).label("has_ended")
_SHOWN = [one for one in shares.c if one.name not in ("hash", "study_id")]


def create(db: Database, study: str, lasts: timedelta, *, by: str) -> tuple[Share, str]:
    """Make a link to the study and return it with its token, which nobody can read again.

    Raises:
        UnknownStudy: there is no such study.
    """
    token = made(LINK)
    with db.engine.begin() as connection:
        new = shares.insert().values(
            study_id=_id_of(connection, study),
            hash=digest_of(token.encode()),
            created_by=by,
            ends_at=sa.func.now() + lasts,
        )
        made_now = connection.execute(new.returning(*_SHOWN, _ENDED)).one()
        ordered.note(connection, study)
    return _share(made_now), token


def listing(db: Database, study: str) -> list[Share]:
    """The study's newest thousand links, the newest first. Raises UnknownStudy: there is no such study."""
    with db.engine.connect() as connection:
        chosen = shares.c.study_id == _id_of(connection, study)
        wanted = sa.select(*_SHOWN, _ENDED).where(chosen).order_by(shares.c.id.desc()).limit(1000)
        return [_share(row) for row in connection.execute(wanted)]


def revoke(db: Database, study: str, share: int) -> Share:
    """End a link now; one that was revoked before stays as it is.

    Raises:
        UnknownStudy: there is no such study.
        UnknownShare: it has no such link.
    """
    with db.engine.begin() as connection:
        chosen = (shares.c.id == share) & (shares.c.study_id == _id_of(connection, study))
        change = shares.update().where(chosen, shares.c.revoked_at.is_(None)).values(revoked_at=sa.func.now())
        row = connection.execute(change.returning(*_SHOWN, _ENDED)).first()
        if row is not None:
            ordered.note(connection, study)
        else:
            row = connection.execute(sa.select(*_SHOWN, _ENDED).where(chosen)).first()
        if row is None:
            raise UnknownShare(study, share)
    return _share(row)


def find(db: Database, digest: bytes) -> Opened | None:
    """Return what the link shows whose token has this digest; None where it has ended, or was never made."""
    wanted = sa.select(shares.c.id, studies.c.name, shares.c.ends_at).join(studies, studies.c.id == shares.c.study_id)
    with db.engine.connect() as connection:
        row = connection.execute(wanted.where(shares.c.hash == digest, ~_ENDED.element)).first()
    return None if row is None else Opened(row.id, row.name, row.ends_at)


def _id_of(connection: sa.Connection, study: str) -> int:
    found: int | None = connection.execute(sa.select(studies.c.id).where(studies.c.name == study)).scalar()
    if found is None:
        raise UnknownStudy(study)
    return found


def _share(row: Any) -> Share:
    return Share(**row._mapping)
