"""The study that another one starts from: what it must have in common."""

from typing import Any

import pytest

from search_spaces import InvalidDefinition
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.storage.conftest import make_definition

RATE = {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1}
REGULARIZER = {"type": "categorical", "choices": ["dropout", "pernodedrop"]}


def test_every_difference_of_the_spaces_is_named(db: Database) -> None:
    studies.create(db, make_definition("earlier"))
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"search_space": {"regularizer": REGULARIZER, "drop_rate": {**RATE, "low": 0.1, "step": None}}},
         ["where drop_rate has low 0.0, and 0.1 here", "where drop_rate has step 0.1, and null here"]),
        ({"search_space": {"drop_rate": RATE, "units": {"type": "int", "low": 1, "high": 2}},
          "fixed": {"regularizer": "dropout"}},
         ["which has no dimension units", "which also has the dimension regularizer"]),
        ({"search_space": {"regularizer": {**REGULARIZER, "choices": ["dropout"]}, "drop_rate": RATE}},
         ['where regularizer has choices "dropout", "pernodedrop", and "dropout" here']),
        ({"objectives": [{"metric": "val_accuracy", "direction": "maximize"}]},
         ["whose objective is minimize val_loss, and maximize val_accuracy here"]),
        ({}, ["of which no trial has ended with a result: wait for one, or leave it out"]),
    ]  # fmt: skip
    for changes, clauses in cases:
        later = make_definition("later", sampler={"name": "tpe"}, start_from="earlier", **changes)
        with pytest.raises(InvalidDefinition) as refused:
            studies.create(db, later)
        assert str(refused.value).splitlines() == [f"start_from is study earlier, {clause}" for clause in clauses]
    assert [study.name for study in studies.page(db)] == ["earlier"]  # nothing is left of what was refused
    studies.create(db, make_definition("later"))
