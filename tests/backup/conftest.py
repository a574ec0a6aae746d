"""`db dump` and `db restore` as a user calls them, and workers on either database."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.storage.database.database import Database

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that the account can reach which root hands Postgres to."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture
def run(home: Path) -> Run:
    """A command line in a process of its own; `url` is its DATABASE_URL, without which it means the home's server."""

    def command(*arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment["PERNODEDROP_HOME"] = str(home)
        if url is not None:
            environment["DATABASE_URL"] = url
        program = [sys.executable, "-m", "service.cli", *arguments]
        return subprocess.run(
            program, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    return command


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker on the database of a URL; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, *options: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DATABASE_URL": url, "PERNODEDROP_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", *options]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
