"""The embedded server: created at its first start, shared by its owners, stopped by the last of them."""

import errno
import hashlib
import os
import secrets
import shlex
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from service.ports import LOOPBACK, any_free, preferred_or_free
from service.storage import libpq
from service.storage.embedded import processes, roles
from service.storage.embedded.account import Account, EmbeddedPostgresError, NoRoom, account_for, prepare_folder
from service.storage.embedded.binaries import install_for, reachable
from service.storage.embedded.ownership import Ownership
from service.storage.embedded.roles import NAME, OWNER

START_SECONDS = 120  # recovery after a crash included
LAUNCHES = 3
ROOM = 2**25  # bytes that a start needs: two segments of the write-ahead log
_FULL = (errno.ENOSPC, errno.EDQUOT)


class EmbeddedPostgres:
    """One server per folder, whatever the number of owners (threads, processes, users' shells).

    `start` reuses a running server, also one whose owner was killed; `release` stops it when no other
    owner is left. The folder keeps the data, both roles' passwords (mode 0600), the port and the log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._log = self._folder / "server.log"
        self._cluster = f"{NAME}-{hashlib.sha256(os.fsencode(self._folder.resolve())).hexdigest()[:12]}"
        self._ownership = Ownership(self._folder)
        self._account: Account | None = None
        self._programs = Path()
        self._port = 0

    def start(self) -> str:
        """Make sure the server runs, become one of its owners, return the URL of its database.

        It takes libpq's variables out of this process's environment, which are meant for another server.

        Called again by an owner, it starts a server that has died; where that fails, or is interrupted, the owner
        stays one, so that its `release` stops what runs.

        Raises:
            EmbeddedPostgresError: the server cannot run here; the message is one line with the remedy.
            NoRoom: it cannot run until there is room on its disk.
        """
        libpq.forget()  # for good: this process and its children connect to our own server
        self._account = account_for(self._folder)
        prepare_folder(self._folder, self._account)
        with self._ownership.turn():
            is_new = self._ownership.take()
            try:
                if is_new:
                    install = reachable(install_for(self._data), self._account, self._folder.parent)
                    self._programs = install / "bin"
                password = self._password()
                owner = self._owner_password()
                if not self._data.exists():
                    self._create_data()
                self._port = self._serve(password, owner)
                return _url(NAME, password, self._port, NAME)
            except BaseException as error:
                if is_new:
                    self._give_up()
                if isinstance(error, EmbeddedPostgresError | OSError) and self._is_full(error):
                    raise NoRoom(f"the disk of {self._data} is full: make room there") from error
                raise

    def _is_full(self, error: BaseException) -> bool:
        """Return whether the disk is full: the log may have had no room to say so."""
        if isinstance(error, OSError):
            return error.errno in _FULL
        disks = [folder for folder in (self._folder, self._data / "pg_wal") if folder.exists()]
        said = any(os.strerror(number) in str(error) for number in _FULL)
        return said or any(shutil.disk_usage(disk).free < ROOM for disk in disks)

    def owner_url(self) -> str:
        """Return the URL of the started server's maintenance database for the superuser that owns it.

        The service never needs it.
        """
        return _url(OWNER, self._owner_password(), self._port, "postgres")

    def release(self) -> None:
        """Stop being an owner; the last owner stops the server. Without a start it does nothing."""
        if self._account is None:
            return
        with self._ownership.turn():
            self._give_up()
        self._account = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _give_up(self) -> None:
        if self._ownership.give_up() and self._running_port() is not None:
            for mode in ("fast", "immediate"):  # immediate loses nothing: the next start recovers
                if self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", "30", "stop") is None:
                    return

    def _password(self) -> str:
        file = self._folder / "password"
        if self._data.exists():
            if file.exists():
                return file.read_text().strip()
            raise EmbeddedPostgresError(
                f"{file} is missing, the data beside it cannot be opened without it: restore it, "
                f"or move {self._data} away to start empty"
            )
        file.unlink(missing_ok=True)  # from a first start that failed early
        return self._new_password(file)

    def _owner_password(self) -> str:
        """The superuser's password; a server that an earlier release made gets one here."""
        file = self._folder / "owner-password"
        text = file.read_text().strip() if file.exists() else ""
        if text:
            return text
        file.unlink(missing_ok=True)
        return self._new_password(file)

    def _new_password(self, file: Path) -> str:
        password = secrets.token_hex(24)
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:  # noqa: PTH123
            stream.write(password)
        self._owner.own(file)
        return password

    def _create_data(self) -> None:
        """Run initdb beside the final folder, so that the data folder is whole or absent."""
        unfinished = self._folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        failure = self._run(
            *("initdb", "-D", str(unfinished), "-U", OWNER, "-E", "UTF8", "--no-locale", "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={self._folder / 'owner-password'}"),
        )
        if failure is not None:
            raise EmbeddedPostgresError(f"initdb failed in {self._folder}: {failure}")
        unfinished.rename(self._data)

    def _serve(self, password: str, owner_password: str) -> int:
        """Return the port of a server that answers and has our database."""
        end = time.monotonic() + START_SECONDS
        while True:
            port = self._running_port() or self._launch()
            try:
                roles.settle(port, password, owner_password)
            except psycopg2.OperationalError as error:  # still recovering, or already stopping
                reason = str(error).strip().splitlines()[-1]
                if "password authentication failed" in reason:
                    reason += f"; restore {self._folder / 'password'}, or move {self._data} away to start empty"
                elif time.monotonic() < end:
                    time.sleep(0.2)
                    continue
                raise EmbeddedPostgresError(f"the embedded Postgres does not answer: {reason}") from error
            return port

    def _running_port(self) -> int | None:
        """Return the port of the running server, or None after removing the traces of a dead one."""
        pid_file = self._data / "postmaster.pid"
        try:
            pid, _, _, port, *_ = pid_file.read_text().splitlines()
        except (FileNotFoundError, ValueError):
            return None
        if processes.belongs(int(pid), self._cluster):
            return int(port)
        if not processes.wait_until_gone(self._cluster, seconds=30):
            raise EmbeddedPostgresError(f"processes of a killed server still use {self._data}: end them and try again")
        pid_file.unlink(missing_ok=True)
        return None

    def _launch(self) -> int:
        port_file = self._folder / "port"
        text = port_file.read_text().strip() if port_file.exists() else ""
        kept = int(text) if text.isdecimal() else 0  # a crash of the machine can leave the file empty
        failure: str | None = None
        for _ in range(LAUNCHES):  # a free port can be taken before the server binds it
            port = preferred_or_free(kept) if kept else any_free()
            options = shlex.join(f"-c{name}={value}" for name, value in self._settings(port).items())
            failure = self._run(
                *("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options),
                *("-w", "-t", str(START_SECONDS), "start"),
            )
            if failure is None:
                if port != kept:
                    port_file.write_text(f"{port}\n")
                return port
        fatal = [line for line in self._log_lines() if "FATAL" in line][-1:] or [str(failure)]
        raise EmbeddedPostgresError(f"the embedded Postgres does not start: {fatal[0]}; see {self._log}")

    def _log_lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines() if self._log.exists() else []

    def _settings(self, port: int) -> dict[str, str | int]:
        return {
            "port": port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",  # a socket's path is limited to some 100 bytes, a folder's is not
            "cluster_name": self._cluster,
            "max_connections": 200,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }

    def _run(self, program: str, *arguments: str) -> str | None:
        """Run a Postgres program; returns None if it succeeds, else the last line of its output."""
        done = self._owner.run([str(self._programs / program), *arguments], self._folder)
        if done.returncode == 0:
            return None
        said = (done.stderr + done.stdout).strip().splitlines()
        return said[-1] if said else f"{program} ended with status {done.returncode}"

    @property
    def _owner(self) -> Account:
        assert self._account is not None, "start() comes first"
        return self._account


def _url(role: str, password: str, port: int, database: str) -> str:
    return f"postgresql+psycopg2://{role}:{password}@{LOOPBACK}:{port}/{database}"
