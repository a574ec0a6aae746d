"""A small study of the digits that a worker has trained, and its capsule."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces import parse_definition
from service.reports import Results
from service.reports.capsule import capsule_of
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web.report import results_of
from workers.runs.agent import Options
from workers.slots import Slots

DEFINITION = {
    "name": "packed",
    "task": {"name": "digits", "epochs": 2, "train_size": 200},
    "search_space": {"drop_rate": {"type": "float", "low": 0.1, "high": 0.6}},
    "fixed": {"regularizer": "dropout", "units": 16},
    "sampler": {"name": "random", "seed": 3},
    "pruner": {"name": "median", "n_startup_trials": 2},
    "budget": {"trials": 3},
    "start_with": [{"drop_rate": 0.1}, {"drop_rate": 0.2}, {"drop_rate": 0.6}],
    "confirmation": {"top": 1, "repeats": 2},
    "evaluation": {"passes": 2, "out_of_distribution": ["contrast"], "inputs": 100},
}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def results(db: Database, tmp_path: Path) -> Results:
    """Two complete trials, a pruned one, and a confirmation under two seeds."""
    studies.create(db, parse_definition(DEFINITION))
    Slots(db, Options(data_folder=tmp_path, device="cpu", poll=0.05, exit_when_idle=True)).run()
    return results_of(db, studies.get(db, "packed"), whole=True)


@pytest.fixture
def capsule(results: Results, tmp_path: Path) -> Path:
    path = tmp_path / "packed.zip"
    path.write_bytes(capsule_of(results))
    return path
