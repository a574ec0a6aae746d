"""Real workers train a study of each hook; what one hands back, the next goes on with bit for bit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database
from service.storage.studies import studies, trials
from tests.nursery import SharedNursery

TASKS = ("Words", "Optimized", "Augmented", "OnDisk")

Start = Callable[[], "subprocess.Popen[bytes]"]


def study(name: str, task: str, *, epochs: int = 3, readers: int = 1) -> StudyDefinition:
    return parse_definition(
        {
            "name": name,
            "task": {
                "name": f"tests.hooks.tasks:{task}",
                "epochs": epochs,
                "options": {"blurred": True, "readers": readers},
            },
            "search_space": {"drop_rate": {"type": "float", "low": 0.1, "high": 0.5}},
            "fixed": {"regularizer": "pernodedrop", "units": 8, "batch_size": 32},
            "sampler": {"name": "random", "seed": 3},
            "pruner": {"name": "none"},
            "budget": {"trials": 1},
        }
    )


@pytest.fixture
def worker(nursery: SharedNursery, database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a worker that leaves when the queue is empty."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle"]
        started.append(nursery.start(command, environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("tasks", [("Everything",), pytest.param(TASKS, marks=pytest.mark.wide)], ids=len)
def test_a_worker_trains_them(tasks: tuple[str, ...], worker: Start, database_url: str) -> None:
    with Database.open(database_url) as db:
        for task in tasks:
            studies.create(db, study(task.lower(), task))
        assert worker().wait(240) == 0
        for task in tasks:
            [trial] = trials.page(db, studies.get(db, task.lower()))
            assert (trial.state, trial.reason, trial.epoch) == ("complete", None, 3)


@pytest.mark.wide
def test_another_goes_on_bit_for_bit(worker: Start, database_url: str) -> None:
    with Database.open(database_url) as db:
        studies.create(db, study("whole", "Everything", epochs=40, readers=0))
        assert worker().wait(240) == 0
        record = studies.create(db, study("parts", "Everything", epochs=40, readers=0))
        first = worker()
        deadline = time.monotonic() + 120
        while trials.page(db, record)[0].epoch < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.terminate()
        first.wait(60)
        assert worker().wait(240) == 0
        [whole], [parts] = (trials.page(db, studies.get(db, name)) for name in ("whole", "parts"))
        assert 2 <= parts.facts["resumed_after_epoch"] < 40
        assert (parts.values, parts.best_epoch) == (whole.values, whole.best_epoch)
