"""Real workers, as processes of their own, on a real database."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.studies import studies, trials
from tests.nursery import SharedNursery

ROOT = Path(__file__).parents[2]

StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def start_worker(nursery: SharedNursery, database_url: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Start `python -m workers` with the given options; what still runs at the end is killed."""
    with workers_of(tmp_path, nursery) as start:
        yield partial(start, database_url)


@pytest.fixture
def start_lone_worker(database_url: str, tmp_path: Path) -> Iterator[StartWorker]:
    """The same for a worker below which all its processes are."""
    with workers_of(tmp_path) as start:
        yield partial(start, database_url)


@contextmanager
def workers_of(home: Path, nursery: SharedNursery | None = None) -> Iterator[StartWorker]:
    """Start a worker on the database of a URL, with further options; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, *options: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DATABASE_URL": url, "PERNODEDROP_HOME": str(home)}
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", *options]
        if nursery is None:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        else:
            started.append(nursery.start(command, environment))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


def own_study(
    name: str, task: str = "Line", *, trials: int = 1, epochs: int = 2, options: dict[str, object] | None = None,
    **parts: object,
) -> StudyDefinition:  # fmt: skip
    """A study of one of the tasks in own_tasks.py."""
    return parse_definition(
        {
            "name": name,
            "task": {"name": f"tests.workers.own_tasks:{task}", "epochs": epochs, "options": options or {}},
            "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True}},
            "sampler": {"name": "random", "seed": 3},
            "pruner": {"name": "none"},
            "budget": {"trials": trials},
            **parts,
        }
    )


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until `condition()` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def only_trial(db: Database, study: StudyRecord) -> TrialRecord:
    [trial] = trials.page(db, study)
    return trial


def finished(db: Database, name: str) -> Callable[[], bool]:
    return lambda: studies.get(db, name).finished_at is not None
