"""The data folder as a loss of power may leave it: what is mended before a start, and what is named."""

import contextlib
import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service.storage.embedded.account import Account, EmbeddedPostgresError

SYNCS = 16  # files at once

# initdb's own: every role needs its password.
_DOORS = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""
_LOST = "# The former text was lost; these are the defaults.\n"
_CONFIGURATION = {
    "postgresql.conf": _LOST,
    "postgresql.auto.conf": _LOST,
    "pg_hba.conf": _LOST + _DOORS,
    "pg_ident.conf": _LOST,
}
# Folders that are empty in a server that has stopped, or hold only what lives as long as a server.
_EMPTY = (
    *("pg_commit_ts", "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat"),
    *("pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_logical/mappings", "pg_logical/snapshots"),
    *("pg_wal/archive_status", "pg_wal/summaries"),
)
_NEEDED = ("global/pg_control", "base", "pg_wal", "pg_xact", "pg_multixact")


def is_there(data: Path) -> bool:
    """Whether there are data; an empty folder, which a first start that lost its power may leave, is removed.

    Raises:
        EmbeddedPostgresError: it is a file.
    """
    if data.exists() and not data.is_dir():
        raise EmbeddedPostgresError(f"{data} is a file, and must be a folder: move it away to start empty")
    with contextlib.suppress(OSError):
        data.rmdir()
    return data.exists()


def version_of(data: Path) -> int:
    """The major version of the Postgres that wrote the data, as most of the files that name it say.

    Raises:
        EmbeddedPostgresError: none of them names a version.
    """
    said = Counter(number for place in _versioned(data) if (number := _number(place / "PG_VERSION")) is not None)
    if not said:
        raise EmbeddedPostgresError(
            f"{data / 'PG_VERSION'} names no version of Postgres, nor does any file beside it: {restore(data)}"
        )
    return said.most_common(1)[0][0]


def mend(data: Path, account: Account) -> None:
    """Write anew what a stopped server's data have lost without harm: versions, configuration, empty folders.

    Raises:
        EmbeddedPostgresError: something is missing that cannot be made anew.
    """
    missing = [name for name in _NEEDED if not (data / name).exists()]
    if missing:
        raise EmbeddedPostgresError(f"{data} is not whole, it has no {missing[0]}: {restore(data)}")
    if data.stat().st_mode & 0o077:
        data.chmod(0o700)  # Postgres refuses what others may read
    version = version_of(data)
    for place in _versioned(data):
        if _number(place / "PG_VERSION") != version:
            account.write(place / "PG_VERSION", f"{version}\n")
    for name, text in _CONFIGURATION.items():
        file = data / name
        if not file.exists() or (
            file.is_file() and not file.read_bytes().strip(b"\0 \t\r\n") and _is_needed(name, file)
        ):
            account.write(file, text)
    for name in _EMPTY:
        if not (data / name).exists():
            (data / name).mkdir(mode=0o700)
            account.own(data / name)


def settle(unfinished: Path, data: Path, by_initdb: Callable[[], str | None]) -> str | None:
    """Give a new folder its name when all of it is on the disk; returns why it is not.

    Some shared file systems sync no folder, and some let root read no file of another account: there initdb is asked.
    """
    try:
        write_through(unfinished)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EBADF, errno.EINVAL):
            return str(error)
        if (failure := by_initdb()) is not None:
            return failure
    unfinished.rename(data)
    with contextlib.suppress(OSError):  # of such a file system
        sync(data.parent)
    return None


def write_through(folder: Path) -> None:
    """Return when all that is in the folder is on the disk, as initdb does: it asks for one file after another.

    There are a thousand, and between two of them a busy machine lets others work; so many are asked for at once.

    Raises:
        OSError: the disk does not take one of them, or this process may not ask for it.
    """
    folders = [place for place in (folder, *folder.rglob("*")) if place.is_dir()]
    files = [place for place in folder.rglob("*") if place.is_file()]
    with ThreadPoolExecutor(SYNCS) as threads:
        for places in (files, folders):  # a folder's entries after what they name
            list(threads.map(sync, places))


def sync(place: Path) -> None:
    """Return when a file's content, or a folder's names, are on the disk.

    Raises:
        OSError: as for `write_through`.
    """
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def restore(data: Path) -> str:
    """What to do about data that cannot be mended."""
    return f"restore {data.parent} from a backup, or move {data} away to start empty"


def _is_needed(name: str, file: Path) -> bool:
    """Whether a file without text keeps a server from its start: one that is empty is a comment, but not of doors."""
    return name == "pg_hba.conf" or file.stat().st_size > 0


def _versioned(data: Path) -> Iterator[Path]:
    yield data
    yield from (place for place in sorted((data / "base").glob("*")) if place.name.isdecimal())


def _number(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() and len(text) < 4 else None
