"""The embedded server: created at its first start, shared by its owners, stopped by the last of them."""

import contextlib
import hashlib
import os
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from service.ports import LOOPBACK, any_free, preferred_or_free
from service.storage import libpq
from service.storage.embedded import data, launching, processes, roles, room
from service.storage.embedded.account import REMEDY, Account, EmbeddedPostgresError, NoRoom, account_for
from service.storage.embedded.binaries import install_for, reachable
from service.storage.embedded.folder import UNFINISHED, check_path, prepare_folder, remove_first_start, remove_folders
from service.storage.embedded.ownership import Ownership
from service.storage.embedded.passwords import Passwords
from service.storage.embedded.reasons import reason_in, remedy
from service.storage.embedded.roles import NAME, OWNER

START_SECONDS = 120  # recovery after a crash included
ANSWER_SECONDS = 5.0  # for an error that no start explains
LAUNCHES = 3
_STARTS = (
    *("starting up", "shutting down", "recovery", "refused", "closed the connection"),
    *("timeout", "too many", "reset"),
)
_WRONG_PASSWORD = "password authentication failed"  # noqa: S105 (an error)


class EmbeddedPostgres:
    """One server per folder, whatever the number of owners (threads, processes, users' shells).

    `start` reuses a running server, also one whose owner was killed; `release` stops it when no other
    owner is left. The folder keeps the data, both roles' passwords (mode 0600), the port and the log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._log = self._folder / "server.log"
        self._passwords = Passwords(self._folder)
        self._disks = (self._folder, self._data, self._data / "pg_wal")
        self._cluster = f"{NAME}-{hashlib.sha256(os.fsencode(os.path.realpath(self._folder))).hexdigest()[:12]}"
        self._ownership = Ownership(self._folder)
        self._account: Account | None = None
        self._programs = Path()
        self._port = 0
        self._places: set[processes.Place] = set()  # where our server's processes work

    def start(self, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Make sure the server runs, become one of its owners, return the URL of its database.

        `meanwhile` is called when the folder is this owner's, before a new one is on the disk and the server starts.
        It takes libpq's variables out of this process's environment, which are meant for another server.

        Called again by an owner, it starts a server that has died; where that fails, or is interrupted, the owner
        stays one, so that its `release` stops what runs. A first start that fails leaves nothing behind. What a loss of
        power has damaged is mended where nothing is lost by it.

        Raises:
            EmbeddedPostgresError: the server cannot run here; the message is one line with the remedy.
            NoRoom: it cannot run until there is room on its disk.
        """
        libpq.forget()  # for good: this process and its children connect to our own server
        try:
            return self._start(meanwhile)
        except OSError as error:
            if error.errno in room.FULL:
                raise self._no_room() from error
            what = error.filename if isinstance(error.filename, str) else self._folder
            raise EmbeddedPostgresError(f"{what} cannot be used ({error.strerror or error}): {REMEDY}") from error

    def _start(self, meanwhile: Callable[[], None]) -> str:
        if self._ownership.has_gone:
            raise EmbeddedPostgresError(
                f"{self._folder} was moved or removed while its server ran: put it back, or start the service again"
            )
        check_path(self._folder)
        account = account_for(self._folder)
        made = prepare_folder(self._folder, account)
        try:
            with self._ownership.turn(account):
                return self._owning(account, made, meanwhile)
        finally:
            if self._account is None:
                remove_folders(made)

    def _owning(self, account: Account, made: Sequence[Path], meanwhile: Callable[[], None]) -> str:
        """Start as an owner, in our turn."""
        self._account = account
        is_new = self._ownership.take(account)
        try:
            has_data = data.is_there(self._data)
            if is_new:
                install = reachable(install_for(self._data), account, self._folder.parent)
                self._programs = install / "bin"
            return self._served(is_new=is_new, has_data=has_data, meanwhile=meanwhile)
        except BaseException:
            if is_new:
                if self._give_up() and not self._data.exists():
                    remove_first_start(self._folder, made)
                self._account = None
            raise

    def _served(self, *, is_new: bool, has_data: bool, meanwhile: Callable[[], None]) -> str:
        """The URL of the server, which runs now."""
        self._places.add(processes.place(self._folder))
        if not has_data and not is_new:
            raise EmbeddedPostgresError(
                f"{self._data} was removed while its server ran: restore {self._folder} from a backup, or start the "
                "service again with nothing in it"
            )
        if not has_data:
            self._passwords.forget()
        lost = self._passwords.lost
        if has_data and self._passwords.file in lost and self._running_port() is not None:
            raise EmbeddedPostgresError(
                f"{self._passwords.file} is lost while its server runs: end every service of this home and start again"
            )
        self._passwords.renew(self._owner)
        if has_data:
            meanwhile()
        else:
            self._create_data(meanwhile)
        self._places.add(processes.place(self._data))
        self._port = self._serve(has_new_passwords=has_data and bool(lost))
        return _url(NAME, self._passwords.ours, self._port, NAME)

    def check_room(self, reason: str = "") -> None:
        """Return if the running server can write; `reason` is why it did not just now.

        Raises:
            NoRoom: one of its disks is full. It still answers, and takes nothing that is new.
        """
        if room.is_named_in(reason) or room.lacks(self._disks, room.WORK):
            raise self._no_room()

    def owner_url(self) -> str:
        """Return the URL of the started server's maintenance database for the superuser that owns it.

        The service never needs it.
        """
        return _url(OWNER, self._passwords.owner, self._port, "postgres")

    def release(self) -> None:
        """Stop being an owner; the last owner stops the server. Without a start it does nothing."""
        if self._account is None:
            return
        if self._ownership.has_gone:
            if self._ownership.give_up():
                processes.end(self._cluster, self._places)
        else:
            with self._ownership.turn(self._account):
                self._give_up()
        self._account = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _give_up(self) -> bool:
        """Stop being an owner, and stop the server if no owner is left; return whether none is."""
        is_last = self._ownership.give_up()
        if is_last:
            self._stop()
        return is_last

    def _stop(self) -> None:
        if self._running_port() is not None:
            for mode in ("fast", "immediate"):  # immediate loses nothing: the next start recovers
                if self._run("pg_ctl", "-D", "data", "-m", mode, "-w", "-t", "30", "stop") is None:
                    return
        processes.end(self._cluster, self._places)

    def _create_data(self, meanwhile: Callable[[], None]) -> None:
        """Run initdb beside the final folder, so that the data folder is whole or absent; then wait for the disk."""
        unfinished = self._folder / UNFINISHED
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink() if unfinished.is_file() else shutil.rmtree(unfinished)
        failure = self._run(
            *("initdb", "-D", UNFINISHED, "-U", OWNER, "-E", "UTF8", "--no-locale", "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={self._passwords.owner_file.name}", "--no-sync"),
        )
        if failure is None:
            meanwhile()
            failure = data.settle(unfinished, self._data, partial(self._run, "initdb", "-D", UNFINISHED, "--sync-only"))
        if failure is not None:
            raise self._broken(f"initdb failed in {self._folder}", failure)

    def _serve(self, *, has_new_passwords: bool) -> int:
        """Return the port of a server that answers and has our database."""
        begun = time.monotonic()
        may_set = False  # both passwords: only in a server that we have started
        while True:
            port = self._running_port()
            if port is None:
                self._mend()
                if has_new_passwords:
                    self._set_passwords()
                may_set = not has_new_passwords
                port = self._launch()
            try:
                roles.settle(port, self._passwords.ours, self._passwords.owner)
            except psycopg2.OperationalError as error:
                reason = str(error).strip().splitlines()[-1]
                if _WRONG_PASSWORD in reason and may_set:
                    has_new_passwords = True
                    self._stop()
                    continue
                patience = START_SECONDS if any(sign in reason for sign in _STARTS) else ANSWER_SECONDS
                if _WRONG_PASSWORD in reason:
                    reason += f"; {self._passwords.file} is not the running server's: end every service of this home"
                elif time.monotonic() < begun + patience:  # still recovering, or already stopping
                    time.sleep(0.2)
                    continue
                raise self._broken("the embedded Postgres does not answer", reason) from error
            return port

    def _mend(self) -> None:
        """Clear away what a server that died has left, and mend what a loss of power has damaged."""
        if not processes.end(self._cluster, self._places):
            raise EmbeddedPostgresError(f"processes of a killed server still use {self._data}: end them and try again")
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        data.mend(self._data, self._owner)

    def _set_passwords(self) -> None:
        """Give both roles the passwords of our files, in a server that does not run."""
        failure = self._run("postgres", "--single", "-D", "data", "postgres", said=self._passwords.statements)
        if failure is not None:
            raise self._broken("the passwords of the embedded Postgres are lost, and it takes no new ones", failure)

    def _running_port(self) -> int | None:
        """Return the port of the running server; None also where it does not say it as it should."""
        try:
            lines = (self._data / "postmaster.pid").read_text(errors="replace").splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return port if processes.belongs(pid, self._cluster) else None

    def _launch(self) -> int:
        kept = launching.port_in(self._folder / "port")
        reason = ""
        for _ in range(LAUNCHES):  # a free port can be taken before the server binds it
            port = preferred_or_free(kept) if kept else any_free()
            options = shlex.join(f"-c{name}={value}" for name, value in launching.settings(port, self._cluster).items())
            before = launching.size_of(self._log)
            # pg_ctl gives its arguments to a shell, and the folder's name may be anything: it works in the folder.
            failure = self._run(
                *("pg_ctl", "-D", "data", "-l", self._log.name, "-o", options),
                *("-w", "-t", str(START_SECONDS), "start"),
            )
            if failure is None:
                if port != kept:
                    self._owner.write(self._folder / "port", f"{port}\n")
                return port
            kept = 0
            said = launching.logged_since(self._log, before)
            reason = reason_in(said) or failure
            if not launching.is_of_a_taken_port(said):
                break
        raise self._broken("the embedded Postgres does not start", reason)

    def _broken(self, what: str, reason: str) -> EmbeddedPostgresError:
        """The error of a program that failed: its disk may be full, and the log may have had no room to say so."""
        if room.is_named_in(reason) or room.lacks(self._disks, room.START):
            return self._no_room()
        return EmbeddedPostgresError(f"{what}: {reason}; {remedy(reason, self._data, self._log)}")

    def _no_room(self) -> NoRoom:
        return NoRoom(f"the disk of {self._data} is full: make room there")

    def _run(self, program: str, *arguments: str, said: str = "") -> str | None:
        """Run a Postgres program, which reads `said`; returns None if it succeeds, else why it failed."""
        done = self._owner.run([str(self._programs / program), *arguments], self._folder, said)
        if done.returncode == 0:
            return None
        return reason_in(done.stderr + done.stdout) or f"{program} ended with status {done.returncode}"

    @property
    def _owner(self) -> Account:
        assert self._account is not None, "start() comes first"
        return self._account


def _url(role: str, password: str, port: int, database: str) -> str:
    return f"postgresql+psycopg2://{role}:{password}@{LOOPBACK}:{port}/{database}"
