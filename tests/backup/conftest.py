"""`db dump` and `db restore` as a user calls them, and workers on either database."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nursery import SharedNursery
from tests.workers.conftest import StartWorker, db, workers_of

__all__ = ["db"]  # a fixture

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


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
def start_worker(nursery: SharedNursery, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker on the database of a URL; what still runs at the end is killed."""
    with workers_of(tmp_path, nursery) as start:
        yield start
