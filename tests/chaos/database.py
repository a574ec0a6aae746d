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
import sqlalchemy as sa

from service.storage.database.database import initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.embedded.binaries import install_for

RESTORES = 5  # attempts
_REFUSE_ONCE = """
    DROP TRIGGER IF EXISTS refusal ON fleet.curves;
    DROP SEQUENCE IF EXISTS refusals;
    CREATE SEQUENCE refusals;
    GRANT USAGE ON SEQUENCE refusals TO PUBLIC;
    CREATE OR REPLACE FUNCTION refusal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'refused once' USING errcode = '{code}'; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER refusal BEFORE INSERT ON fleet.curves FOR EACH ROW EXECUTE FUNCTION refusal();
"""


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

    def be_read_only(self, seconds: float) -> None:
        """Take no write for `seconds`, from anybody."""
        with self._mishap:
            self._as_owner("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            try:
                time.sleep(seconds)
            finally:
                self._as_owner("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")

    def refuse_once(self, code: str) -> None:
        """Raise this SQLSTATE where the next epoch is recorded, once: a sequence counts on in a failed transaction."""
        with self._mishap:
            self._as_owner(_REFUSE_ONCE.format(code=code), database=sa.make_url(self.url).database)

    def dump(self) -> Path:
        """A dump of the database as it is now."""
        with self._mishap:
            file = self._folder.parent / f"dump-{time.monotonic_ns()}"
            self.run("pg_dump", "--format=custom", "--file", str(file))
            return file

    def restore(self, dump: Path) -> None:
        """Set the database back to a dump, while everybody goes on."""
        with self._mishap:
            for attempt in range(RESTORES):  # it may deadlock with those who are at work
                try:
                    self.run("pg_restore", "--clean", "--if-exists", "--single-transaction", str(dump))
                except subprocess.CalledProcessError as error:
                    if attempt == RESTORES - 1:
                        raise RuntimeError(error.stderr) from error
                else:
                    return

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of Postgres on the database, as its owner."""
        address = sa.make_url(self._embedded.owner_url()).set(database=sa.make_url(self.url).database)
        command = [program, *arguments, "--host", address.host or "", "--port", str(address.port)]
        command += ["--username", address.username or "", "--dbname", address.database or ""]
        command[0] = str(install_for(self._folder / "data") / "bin" / program)
        environment = {**os.environ, "PGPASSWORD": address.password or ""}
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

    def _as_owner(self, *statements: str, database: str | None = None) -> None:
        owner = sa.make_url(self._embedded.owner_url())
        engine = sa.create_engine(owner.set(database=database or owner.database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("SET default_transaction_read_only = off"))
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()

    @property
    def _postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # a connection that has ended
            continue
