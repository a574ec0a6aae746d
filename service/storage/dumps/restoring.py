"""Restores a dump into an empty database, so that its studies go on there and no holder of the old world writes."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from service.storage.artifacts import ArtifactRoot
from service.storage.database import schema
from service.storage.database.database import Database, initialise
from service.storage.database.plainly import plainly
from service.storage.dumps import programs, weights
from service.storage.dumps.programs import Say
from service.storage.dumps.weights import Copied
from service.storage.errors import DumpFailed
from service.storage.fleet.ownership import database_id
from service.storage.places import unusable
from service.storage.runs.endings import close_finished_studies
from service.storage.runs.expressions import SPENT_S

_MAGIC = b"PGDMP"
_FROM = re.compile(r"Dumped from database version: (\d+)")
_RUNS = re.compile(r" TABLE (DATA )?fleet runs ")
_MAJOR = sa.text("SELECT current_setting('server_version_num')::int / 10000")

# What is in the way, without what belongs to extensions.
_THERE = sa.text(
    """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
    ORDER BY n.nspname <> 'fleet', c.relname <> 'studies', 1
    """
)
# As if every holder had been asked to leave: no attempt is lost, and no holder of the old world has its run.
_HAND_BACK = sa.text(
    f"""
    UPDATE fleet.runs SET state = 'waiting', attempts = attempts - 1, worker_id = NULL, claim = NULL,
        reason = 'the database was restored from a dump', spent_s = {SPENT_S}, leased_at = NULL, lease_until = NULL
    WHERE state = 'running'
    """
)
# The fleet's clock stands from the last sign of life on.
_GONE = sa.text("UPDATE fleet.workers SET stopped_at = seen_at WHERE stopped_at IS NULL")
_SEATS = sa.text("DELETE FROM fleet.device_slots")
_WEBHOOKS = sa.text("DELETE FROM fleet.webhooks")


@dataclass(frozen=True)
class Restored:
    """What a restored database has."""

    studies: int
    handed_back: int  # runs that were in training
    database: str  # the name that checkpoints of the new database bear
    weights: Copied | None = None  # what was copied of the weights, where that was asked for


def restore(
    url: str, file: Path, say: Say, *, webhooks: bool = True, artifacts: tuple[str, str] | None = None
) -> Restored:
    """Restore the dump into the empty database, bring it up to this release, and let its runs in training wait again.

    All of the dump is there afterwards, or nothing. Its objects belong to the user of `url`. `artifacts` is where a
    dump's weights lie and where to copy them.

    Raises:
        DumpFailed: the file is no dump of ours, the database is not empty, or the dump cannot be read.
        OSError: the file cannot be read.
        StorageError: the database does not answer, or does not suit.
    """
    _check_file(file)
    if artifacts is not None and (refusal := unusable(artifacts[1])):
        raise DumpFailed(f"nothing was restored, since no weights can be kept at {artifacts[1]}: {refusal}")
    place, environment = programs.connecting(url)
    with Database.open(url) as db:
        with plainly(), db.engine.connect() as connection:
            major = connection.execute(_MAJOR).scalar_one()
        pg_restore = programs.program("pg_restore", major)
        _check_ours(pg_restore, file, major)
        options = ("--single-transaction", "--no-owner", "--no-privileges", "--no-password", "--verbose")
        with plainly(), _alone(db):
            _check_empty(db)
            command = (pg_restore, *options, f"--dbname={place}", str(file))
            programs.run(command, environment, _progress, say)
        initialise(url)
        with plainly(), db.engine.begin() as connection:
            handed_back = connection.execute(_HAND_BACK).rowcount
            for statement in (_GONE, _SEATS, *(() if webhooks else (_WEBHOOKS,))):
                connection.execute(statement)
            studies: int = connection.execute(sa.text("SELECT count(*) FROM fleet.studies")).scalar_one()
        with plainly():
            close_finished_studies(db)  # one that was stopped may have been waiting for its last run
            name, copied = database_id(db), None
            if artifacts is not None:
                with db.engine.connect() as connection:
                    rows = weights.named(connection)
                copied = _copied(rows, artifacts, name, say)
            return Restored(studies, handed_back, name, copied)


def _copied(rows: Sequence[weights.Named], artifacts: tuple[str, str], name: str, say: Say) -> Copied:
    source, target = artifacts
    try:
        return weights.copy(rows, ArtifactRoot(source, name), ArtifactRoot(target, name), say)
    except Exception as error:  # of a store, which may raise any; the database is there, and must not be restored again
        raise DumpFailed(
            f"the database is restored, and its weights could not be copied ({type(error).__name__}: {error}): "
            f"copy what is in {source} to {target} by hand"
        ) from error


@contextmanager
def _alone(db: Database) -> Iterator[None]:
    """Keep those waiting meanwhile who would make tables."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": schema.LOCK})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": schema.LOCK})


def _check_empty(db: Database) -> None:
    with db.engine.connect() as connection:
        there = connection.execute(_THERE).scalars().all()
    if there:
        raise DumpFailed(
            f"the database is not empty ({', '.join(there[:2])}{', ...' if len(there) > 2 else ''}): "
            "CREATE DATABASE another one and name it in DATABASE_URL; of the embedded Postgres, stop the service and "
            "move the folder postgres of PERNODEDROP_HOME away"
        )


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise DumpFailed(f"{file} is a folder: name a file that `pernodedrop db dump` made")
    with file.open("rb") as opened:
        beginning = opened.read(len(_MAGIC))
    if beginning != _MAGIC:
        raise DumpFailed(f"{file} is no dump: name a file that `pernodedrop db dump` or pg_dump --format=custom made")


def _check_ours(pg_restore: Path, file: Path, major: int) -> None:
    listed = subprocess.run([pg_restore, "--list", str(file)], capture_output=True, text=True, check=False)
    if "unsupported version (1." in listed.stderr:  # others are of no version at all
        raise DumpFailed(
            f"{file} was written by a newer Postgres than the server's {major}: restore it into that version or later"
        )
    if listed.returncode != 0:
        said = " ".join(listed.stderr.split()) or f"status {listed.returncode}"
        raise DumpFailed(f"{file} is damaged ({said}): take another dump")
    if not _RUNS.search(listed.stdout):
        raise DumpFailed(f"{file} is a dump of another program: it has no table fleet.runs")
    made_by = _FROM.search(listed.stdout)
    if made_by is not None and int(made_by[1]) > major:
        raise DumpFailed(
            f"{file} is of Postgres {made_by[1]}, and the server is {major}: restore it into that version or later"
        )


def _progress(line: str) -> str:
    """pg_restore's line without its name."""
    return line.partition(": ")[2] or "reading the dump"
