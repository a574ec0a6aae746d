from collections.abc import Iterator

import pytest

from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def definition() -> StudyDefinition:
    return make_definition("storage")


def make_definition(name: str, *, trials: int = 4, **parts: object) -> StudyDefinition:
    return parse_definition(
        {
            "name": name,
            "task": {"name": "digits", "epochs": 3},
            "search_space": {
                "regularizer": {"type": "categorical", "choices": ["dropout", "pernodedrop"]},
                "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
            },
            "sampler": {"name": "random", "seed": 1},
            "budget": {"trials": trials},
            **parts,
        }
    )
