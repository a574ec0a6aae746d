"""The account that runs the server: Postgres refuses root, so root uses an account without privileges."""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED_NAMES = ("postgres", "nobody")
OWN_MARK = "turn.lock"  # the first file of a folder of ours


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot run; the message is one line that names the cause and the remedy."""


class NoRoom(EmbeddedPostgresError):
    """The disk of the embedded Postgres is full; it runs again when there is room."""


@dataclass(frozen=True)
class Account:
    """The user that owns the folder and runs every Postgres program."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def run(self, command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run `command` in `folder` as this account, apart from our terminal's signals and our environment.

        Raises:
            EmbeddedPostgresError: the program cannot be started as this account.
        """
        other = {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": []}
        try:
            return subprocess.run(  # type: ignore[call-overload,no-any-return]
                command,
                cwd=folder,
                # PGDATA, PGPORT and a locale that is not installed would all change what the programs do
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                start_new_session=True,  # Ctrl-C stops the stack, and the stack stops Postgres last
                **other,
            )
        except OSError as error:
            message = f"cannot run {command[0]} as user {self.name!r}: {error.strerror}; set DATABASE_URL to a Postgres"
            raise EmbeddedPostgresError(message) from error


def account_for(folder: Path) -> Account:
    """The account that serves `folder`: ourselves, or for root the folder's owner or an unprivileged user.

    Raises:
        EmbeddedPostgresError: the folder belongs to somebody else, or root finds no unprivileged user.
    """
    owner = folder.stat().st_uid if folder.exists() else os.geteuid()
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise EmbeddedPostgresError(
                f"{folder} belongs to uid {owner}: run as that user or choose another PERNODEDROP_HOME"
            )
        return Account(name=str(owner), uid=owner, gid=os.getegid())
    if owner != 0:
        return Account(name=_name_of(owner), uid=owner, gid=folder.stat().st_gid)
    for name in UNPRIVILEGED_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedPostgresError(
        "Postgres refuses to run as root and there is no user 'postgres' or 'nobody': run as another user, "
        "or set DATABASE_URL to a Postgres"
    )


def closed_parent(path: Path, account: Account) -> Path | None:
    """The first folder above `path` that `account` may not pass through, None when all are open to it."""
    for parent in reversed(path.parents):
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


def prepare_folder(folder: Path, account: Account) -> None:
    """Create `folder` for `account` alone (mode 0700), and the one above it for whoever runs this.

    What is there above it is never changed. Where root hands the folder to another account, that account may pass
    through the one above (mode 0710, its group).

    Raises:
        EmbeddedPostgresError: an existing folder above is closed to the account.
    """
    for parent in reversed(folder.parents):
        if not parent.exists():
            parent.mkdir(exist_ok=True)
            if parent == folder.parent:
                _close(parent, account)
            elif not account.is_ours:
                parent.chmod(0o755)  # ours and empty: root's umask may have closed it
    closed = None if account.is_ours else closed_parent(folder, account)
    if closed is not None:
        raise EmbeddedPostgresError(
            f"Postgres runs as user {account.name!r}, which cannot reach {folder}: {closed} is closed to it; "
            "set PERNODEDROP_HOME to an open folder such as /var/lib/pernodedrop, or set DATABASE_URL to a Postgres"
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    if any(folder.iterdir()) and not (folder / OWN_MARK).exists():
        raise EmbeddedPostgresError(f"{folder} holds other files: Postgres needs an empty folder of its own")
    account.own(folder)
    folder.chmod(0o700)


def _close(home: Path, account: Account) -> None:
    if account.is_ours:
        home.chmod(0o700)
    else:
        os.chown(home, -1, account.gid)
        home.chmod(0o710)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
