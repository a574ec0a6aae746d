"""A real database, and a worker of its own that keeps weights beside it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database
from tests.nursery import SharedNursery

ROOT = Path(__file__).parents[2]

Train = Callable[..., None]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def trained(nursery: SharedNursery, database_url: str, tmp_path: Path) -> Train:
    """Run a worker until the queue is empty."""

    def train(*options: str) -> None:
        environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle", *options]
        with nursery.start(command, environment) as worker:
            assert worker.wait(120) == 0

    return train


def digits_study(name: str, **parts: object) -> StudyDefinition:
    """Two variants of a small training on digits, of which the confirmation trains the best again."""
    return parse_definition(
        {
            "name": name,
            "task": {"name": "digits", "epochs": 2, "train_size": 200},
            "search_space": {"regularizer": {"type": "categorical", "choices": ["dropout", "masksembles"]}},
            "fixed": {"units": 8},
            "sampler": {"name": "grid"},
            "confirmation": {"top": 1, "repeats": 2},
            **parts,
        }
    )
