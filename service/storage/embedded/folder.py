"""The folder of a server: where it may lie and what it may be called, and how it is made and taken away again."""

import contextlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from service.storage.embedded.account import REMEDY, Account, EmbeddedPostgresError

OWN_MARKS = ("turn.lock", "owners.lock", "owner-password")  # a folder of ours has one of them at least
UNFINISHED = "data.unfinished"
MOST_BYTES = 900  # of a path: Postgres takes 1,023, for the files in it too
_OF_A_FIRST_START = (*OWN_MARKS, "password", "password.new", "owner-password.new", "port", "port.new", "server.log")


def check_path(folder: Path) -> None:
    """Return if `folder` is there, or can perhaps be made: nothing that lies on its way is no folder.

    Raises:
        EmbeddedPostgresError: it cannot; the message names what is in the way.
    """
    if len(os.fspath(folder).splitlines()) > 1:
        raise EmbeddedPostgresError(f"{os.fspath(folder)!r} has a line break in its name: {REMEDY}")
    if len(os.fsencode(folder)) > MOST_BYTES:
        raise EmbeddedPostgresError(
            f"{folder} has {len(os.fsencode(folder))} bytes, and Postgres takes {MOST_BYTES} at most: {REMEDY}"
        )
    for place in (*reversed(folder.parents), folder):
        try:
            status = place.stat()
        except FileNotFoundError:
            if place.is_symlink():
                raise EmbeddedPostgresError(
                    f"{place} is a link to {place.readlink()}, which is not there: {REMEDY}"
                ) from None
            return
        except PermissionError:
            raise EmbeddedPostgresError(f"{place.parent} is closed to this user: {REMEDY}") from None
        if not stat.S_ISDIR(status.st_mode):
            raise EmbeddedPostgresError(f"{place} is a file, and must be a folder: {REMEDY}")


def closed_parent(path: Path, account: Account) -> Path | None:
    """The first folder above `path` that `account` may not pass through, None when all are open to it."""
    for parent in reversed(path.parents):
        if not parent.exists():
            return None
        if account.is_ours:
            allowed = int(os.access(parent, os.X_OK))
        else:
            status = parent.stat()
            if status.st_uid == account.uid:
                allowed = status.st_mode & stat.S_IXUSR
            elif status.st_gid == account.gid:
                allowed = status.st_mode & stat.S_IXGRP
            else:
                allowed = status.st_mode & stat.S_IXOTH
        if not allowed:
            return parent
    return None


def prepare_folder(folder: Path, account: Account) -> list[Path]:
    """Create `folder` for `account` alone (mode 0700), and the one above it for whoever runs this.

    What is there above it is never changed. Where root hands the folder to another account, that account may pass
    through the one above (mode 0710, its group). Returns the folders that were made, the outermost first.

    Raises:
        EmbeddedPostgresError: an existing folder above is closed to the account, or the folder holds other files.
        OSError: a folder cannot be made.
    """
    closed = closed_parent(folder, account)
    if closed is not None:
        raise EmbeddedPostgresError(
            f"Postgres runs as user {account.name!r}, which cannot reach {folder}: {closed} is closed to it; "
            "set PERNODEDROP_HOME to an open folder such as /var/lib/pernodedrop, or set DATABASE_URL to a Postgres"
        )
    made: list[Path] = []
    try:
        for place in (*reversed(folder.parents), folder):
            if not place.exists():
                place.mkdir(mode=0o700 if place == folder else 0o777, exist_ok=True)
                made.append(place)
                if place == folder.parent:
                    _close(place, account)
                elif place != folder and not account.is_ours:
                    place.chmod(0o755)  # ours and empty: root's umask may have closed it
        if any(folder.iterdir()) and not any((folder / mark).exists() for mark in OWN_MARKS):
            raise EmbeddedPostgresError(f"{folder} holds other files, and Postgres needs a folder of its own: {REMEDY}")
        account.own(folder)
        folder.chmod(0o700)
    except BaseException:
        remove_folders(made)
        raise
    return made


def remove_first_start(folder: Path, made: Sequence[Path]) -> None:
    """Remove what a start that never had data has left, and the folders that it made unless others use them."""
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    for name in _OF_A_FIRST_START:
        (folder / name).unlink(missing_ok=True)
    if folder.parent in made:
        for copy in folder.parent.glob("pginstall*"):  # of the programs, for an account that cannot reach them
            shutil.rmtree(copy, ignore_errors=True)
    remove_folders(made)


def remove_folders(made: Sequence[Path]) -> None:
    """Remove those of the folders that are empty, the innermost first."""
    for place in reversed(made):
        with contextlib.suppress(OSError):
            place.rmdir()


def _close(home: Path, account: Account) -> None:
    if account.is_ours:
        home.chmod(0o700)
    else:
        os.chown(home, -1, account.gid)
        home.chmod(0o710)
