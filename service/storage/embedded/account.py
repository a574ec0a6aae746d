"""The account that runs the server: Postgres refuses root, so root uses an account without privileges."""

import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED_NAMES = ("postgres", "nobody")
REMEDY = "set PERNODEDROP_HOME to another folder, or DATABASE_URL to a Postgres"


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

    def write(self, path: Path, text: str) -> None:
        """Write a file for this account alone (mode 0600): a loss of power leaves the whole text, or what was there."""
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self.own(unfinished)
        unfinished.replace(path)

    def run(self, command: Sequence[str], folder: Path, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run `command` in `folder` as this account, apart from our terminal's signals and our environment.

        It reads `said`. Where this is interrupted, the command ends with all that it has started.

        Raises:
            EmbeddedPostgresError: the program cannot be started as this account.
        """
        other = {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": []}
        try:
            process = subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd=folder,
                # PGDATA, PGPORT and a locale that is not installed would all change what the programs do
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C stops the stack, and the stack stops Postgres last
                **other,
            )
        except OSError as error:
            message = f"cannot run {command[0]} as user {self.name!r}: {error.strerror}; set DATABASE_URL to a Postgres"
            raise EmbeddedPostgresError(message) from error
        with process:
            try:
                output, errors = process.communicate(said)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def account_for(folder: Path) -> Account:
    """The account that serves `folder`: ourselves, or for root the folder's owner or an unprivileged user.

    Raises:
        EmbeddedPostgresError: the folder belongs to somebody else, or root finds no unprivileged user.
    """
    owner = folder.stat().st_uid if folder.exists() else os.geteuid()
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise EmbeddedPostgresError(f"{folder} belongs to user {_name_of(owner)}: run as that user, or {REMEDY}")
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


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
