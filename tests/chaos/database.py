"""A Postgres that can be killed, frozen and started again."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg2
import sqlalchemy as sa

from service.storage.database.database import initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.embedded.binaries import install_for

# One of each class that has been met in the middle of a healthy training.
SQLSTATES = ("25006", "XX000", "XX001", "25P03", "0A000", "42501", "23505", "22P02", "40001", "53100", "57014", "57P01")
RAISED_S = 10.0  # for somebody to write a point
RESTORES = 5  # attempts
_HICCUP = """
    CREATE SEQUENCE hiccup;
    CREATE FUNCTION hiccup() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('hiccup') = 1 THEN RAISE EXCEPTION 'hiccup' USING errcode = '{sqlstate}'; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER hiccup BEFORE INSERT ON fleet.curves FOR EACH ROW EXECUTE FUNCTION hiccup();
"""
_CALM = "DROP TRIGGER hiccup ON fleet.curves; DROP FUNCTION hiccup; DROP SEQUENCE hiccup"


class Server:
    """The embedded server in `folder`, always at the same address; one mishap at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._embedded = EmbeddedPostgres(folder)
        self._mishap = threading.Lock()
        self.url = ""

    def __enter__(self) -> Self:
        self.url = self._embedded.start()
        initialise(self.url)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._embedded.release()

    @property
    def port(self) -> int:
        port = sa.make_url(self.url).port
        assert port is not None
        return port

    def through(self, port: int) -> str:
        """The URL by which somebody behind a proxy on `port` reaches the server."""
        return sa.make_url(self.url).set(port=port).render_as_string(hide_password=False)

    def crash(self, seconds: float) -> None:
        """Stop at once, without a goodbye to anybody, and start again after `seconds`."""
        with self._mishap:
            self._postmaster.send_signal(signal.SIGQUIT)
            time.sleep(seconds)
            assert self._embedded.start() == self.url

    def freeze(self, seconds: float) -> None:
        """Stop every process of the server for `seconds`, as a hypervisor does that moves the machine."""
        with self._mishap:
            family = [self._postmaster, *self._postmaster.children(recursive=True)]
            try:
                _send(family, signal.SIGSTOP)
                time.sleep(seconds)
            finally:
                _send(family, signal.SIGCONT)

    def raise_once(self, sqlstate: str) -> None:
        """Raise an error of this SQLSTATE once, where a worker writes a point of a curve."""
        with self._mishap:
            self._execute(_HICCUP.format(sqlstate=sqlstate))
            deadline = time.monotonic() + RAISED_S
            while not self._execute("SELECT is_called FROM hiccup") and time.monotonic() < deadline:
                time.sleep(0.1)
            self._execute(_CALM)

    def read_only(self, seconds: float) -> None:
        """Refuse every write for `seconds`, as a server does that has lost its disk or become a replica."""
        settings = self._folder / "data" / "postgresql.auto.conf"
        usual = settings.read_text()
        with self._mishap:
            try:
                settings.write_text(usual + "default_transaction_read_only = on\n")
                self._postmaster.send_signal(signal.SIGHUP)
                time.sleep(seconds)
            finally:
                settings.write_text(usual)
                self._postmaster.send_signal(signal.SIGHUP)

    def dump(self) -> Path:
        """A dump of the database as it is now."""
        with self._mishap:
            file = self._folder.parent / f"dump-{time.monotonic_ns()}"
            self._run("pg_dump", "--format=custom", "--file", str(file))
            return file

    def restore(self, dump: Path) -> None:
        """Set the database back to a dump, while everybody goes on."""
        with self._mishap:
            for attempt in range(RESTORES):  # it may deadlock with those who are at work
                try:
                    self._run("pg_restore", "--clean", "--if-exists", "--single-transaction", str(dump))
                except subprocess.CalledProcessError as error:
                    if attempt == RESTORES - 1:
                        raise RuntimeError(error.stderr) from error
                else:
                    return

    def _run(self, program: str, *arguments: str) -> None:
        address = sa.make_url(self.url)
        command = [program, *arguments, "--host", address.host or "", "--port", str(address.port)]
        command += ["--username", address.username or "", "--dbname", address.database or ""]
        command[0] = str(install_for(self._folder / "data") / "bin" / program)
        environment = {**os.environ, "PGPASSWORD": address.password or ""}
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

    def _execute(self, statements: str) -> object:
        """The first value of the last statement's rows, if it has rows."""
        connection = psycopg2.connect(sa.make_url(self.url).set(drivername="postgresql").render_as_string(False))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statements)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    @property
    def _postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # a connection that has ended
            continue
