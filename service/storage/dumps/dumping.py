"""Writes a dump: one consistent state of the database, taken while everybody goes on."""

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from service.storage.artifacts import ArtifactRoot
from service.storage.database.database import Database
from service.storage.dumps import programs
from service.storage.dumps.programs import Say
from service.storage.dumps.weights import Copied, with_weights
from service.storage.errors import DumpFailed
from service.storage.fleet.ownership import database_id

_SERVER = sa.text(
    """
    SELECT current_setting('server_version_num')::int / 10000 AS major, pg_database_size(current_database()) AS size,
        (SELECT count(*) FROM fleet.studies) AS studies
    """
)


@dataclass(frozen=True)
class Dumped:
    """What a dump has."""

    size: int  # bytes
    studies: int  # about: those of the moment before it began
    database: str  # the name that checkpoints of this database bear
    weights: Copied | None = None  # what was copied of the weights, where that was asked for


def dump(url: str, file: Path, say: Say, artifacts: tuple[str, str] | None = None) -> Dumped:
    """Write a dump of the database in the format custom of pg_dump, whole or not at all, for its owner alone.

    It is read in one transaction. Nobody waits for it but who changes the tables' schema. `artifacts` is where the
    weights lie and where to copy those that the dump names.

    Raises:
        DumpFailed: it cannot be made; nothing is left, and an earlier file stays.
        OSError: the file cannot be written.
        StorageError: the database does not answer, or is none of ours.
    """
    with Database.open(url) as db:
        db.check()
        with db.engine.connect() as connection:
            server = connection.execute(_SERVER).one()
        name = database_id(db)
    pg_dump = programs.program("pg_dump", server.major)
    target = Path(os.path.realpath(file))
    if target.is_dir() or (target.exists() and not target.is_file()):
        raise DumpFailed(f"{file} is no plain file: name one")
    with ExitStack() as held:
        command, copied = [str(pg_dump)], None
        if artifacts is not None:
            source, target_root = (ArtifactRoot(place, name) for place in artifacts)
            database = held.enter_context(Database.open(url))
            snapshot, copied = held.enter_context(with_weights(database, source, target_root, say))
            command.append(f"--snapshot={snapshot}")
        _write(command, url, target, server.size, say)
    return Dumped(target.stat().st_size, server.studies, name, copied)


def _write(command: Sequence[str], url: str, target: Path, size: int, say: Say) -> None:
    """Let pg_dump write a database of so many bytes into the file, whole or not at all."""
    place, environment = programs.connecting(url)
    number, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".unfinished", dir=target.parent)
    os.close(number)
    began = time.monotonic()

    def progress(_: str) -> str:
        written = Path(unfinished).stat().st_size
        return f"{_amount(written)} after {time.monotonic() - began:.0f} s; the database has {_amount(size)}"

    try:
        options = ("--format=custom", "--no-password", f"--file={unfinished}", f"--dbname={place}")
        programs.run([*command, *options], environment, progress, say)
        _settle(Path(unfinished))
        Path(unfinished).replace(target)
        _sync(target.parent)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def _settle(file: Path) -> None:
    """Bring the file to its disk before it replaces an earlier one."""
    file.chmod(0o600)
    with file.open("rb+") as written:
        os.fsync(written.fileno())


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _amount(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
