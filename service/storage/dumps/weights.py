"""Copies the weights that a database names beside its dump, and from there to where another database has them.

A worker that finds a better trial removes the weights of the one before. So a dump names what was there a moment ago:
its weights are copied first, within the transaction whose state is dumped, and where one was removed meanwhile that
transaction begins again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from service.storage.artifacts import ArtifactRoot, NoSuchFile
from service.storage.database.database import Database
from service.storage.dumps.programs import Say

TRIES = 10  # states that are looked at until one has all of its files
_TOLD_EVERY = 100  # files

_NAMED = sa.text("SELECT run_id, repeat, digest FROM fleet.weights WHERE digest IS NOT NULL ORDER BY run_id, repeat")
_LASTS = sa.text("SET LOCAL idle_in_transaction_session_timeout = 0")


@dataclass(frozen=True)
class Named:
    """A file of weights as its row names it."""

    run_id: int
    repeat: int
    digest: str


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    files: int  # that are there
    size: int  # bytes that were written
    lacking: tuple[Named, ...]  # those that are missing or damaged


def named(connection: sa.Connection) -> list[Named]:
    """The files that the database names."""
    return [Named(*row) for row in connection.execute(_NAMED)]


def copy(rows: Sequence[Named], source: ArtifactRoot, target: ArtifactRoot, say: Say) -> Copied:
    """Copy the files of these rows that the target lacks, each checked by its digest and held in memory.

    Raises:
        OSError: the target takes no file. A store may raise any error.
    """
    size, lacking = 0, []
    for place, row in enumerate(rows):
        if place % _TOLD_EVERY == _TOLD_EVERY - 1:
            say(f"{place} of {len(rows)} files of weights")
        if target.has(row.run_id, row.digest):
            continue
        data = _read(source, row)
        if data is None:
            lacking.append(row)
            continue
        target.write(row.run_id, row.repeat, data)
        size += len(data)
    return Copied(len(rows) - len(lacking), size, tuple(lacking))


def _read(source: ArtifactRoot, row: Named) -> bytes | None:
    """The file's bytes; None where it is missing or damaged."""
    try:
        data = b"".join(source.pieces(row.run_id, row.digest))
    except (NoSuchFile, FileNotFoundError):  # or it was removed just now
        return None
    return data if hashlib.sha256(data).hexdigest() == row.digest else None


@contextmanager
def with_weights(db: Database, source: ArtifactRoot, target: ArtifactRoot, say: Say) -> Iterator[tuple[str, Copied]]:
    """Copy the weights of one state of the database, and yield the name of this state for pg_dump's `--snapshot`, which
    holds within the block, with what was copied."""
    for attempt in range(TRIES):
        with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(_LASTS)
            snapshot: str = connection.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
            copied = copy(named(connection), source, target, say)
            if attempt == TRIES - 1 or not _were_removed(db, copied.lacking):
                yield snapshot, copied
                return


def _were_removed(db: Database, rows: Sequence[Named]) -> bool:
    """Whether the database by now has left one of these rows out."""
    if not rows:
        return False
    with db.engine.connect() as connection:
        return not set(rows) <= set(named(connection))
