"""A Postgres to load, and what the load costs it."""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from benchmarks.termination import end_in_order
from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres

DEFAULT_CONNECTIONS = 100  # of a Postgres that nobody configured; the embedded one allows more
LOOK_S = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")


class Server(EmbeddedPostgres):
    """The embedded server with Postgres's own limit on connections."""

    def _settings(self, port: int) -> dict[str, str | int]:
        return {**super()._settings(port), "max_connections": DEFAULT_CONNECTIONS}


@contextlib.contextmanager
def started() -> Iterator[tuple[str, int]]:
    """The URL of an initialised database on a fresh server, and the server's process id; all of it goes afterwards."""
    end_in_order()
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-benchmark-"))
    folder.chmod(0o755)  # the server runs as another user when this runs as root
    server = Server(folder / "postgres")
    try:
        url = server.start()
        initialise(url)
        pid = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        yield url, pid
    finally:
        server.release()
        shutil.rmtree(folder, ignore_errors=True)


class Watch:
    """Measures the load on a server from `with` to the end of it."""

    def __init__(self, url: str, server_pid: int) -> None:
        self._db = Database.open(url, 1, lasting=True)
        self._pid = server_pid
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Self:
        self._cpu_before, self._commits_before = cpu_seconds(self._pid), self._commits()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.cpu_s = cpu_seconds(self._pid) - self._cpu_before
        self.commits = self._commits() - self._commits_before
        self._db.close()

    @property
    def peak_connections(self) -> int:
        """The most that were open at once, the watch's own not counted."""
        return self._peak

    def _count(self) -> None:
        while not self._done.wait(LOOK_S):
            count = "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
            self._peak = max(self._peak, self._ask(count))

    def _commits(self) -> int:
        return self._ask("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")

    def _ask(self, question: str) -> int:
        with self._db.engine.connect() as connection:
            return int(connection.execute(sa.text(question)).scalar_one())


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, of its living children and of those it has waited for: of a whole Postgres."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = sum(_ticks(pid)[:4])
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone since: `pid` has waited for it
            ticks += sum(_ticks(int(child))[:2])
    return ticks / _TICKS


def _ticks(pid: int) -> list[int]:
    """utime, stime, cutime and cstime of proc(5)."""
    return [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]
