"""The quick grouping of dimensions is Optuna's own."""

from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace

from search_spaces import parse_definition
from search_spaces.optuna import suggest
from search_spaces.optuna.grouping import QuickGrouping

SPACES: dict[str, Mapping[str, Any]] = {
    "flat": {
        "drop_rate": {"type": "float", "low": 0.0, "high": 0.9},
        "units": {"type": "categorical", "choices": [32, 64]},
    },
    "nested": {
        "regularizer": {"type": "categorical", "choices": ["none", "dropout", "pernodedrop"]},
        "stir_type": {
            "type": "categorical",
            "choices": ["bernoulli", "partial_gaussian"],
            "when": {"regularizer": "pernodedrop"},
        },
        "noisy_fraction": {"type": "float", "low": 0.1, "high": 0.9, "when": {"stir_type": "partial_gaussian"}},
        "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "when": {"regularizer": ["dropout", "pernodedrop"]}},
    },
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("seed", range(5))
def test_the_groups_are_those_that_optuna_finds(space: Mapping[str, Any], seed: int) -> None:
    fixed = {} if "regularizer" in space else {"regularizer": "dropout"}
    definition = parse_definition(
        {"fixed": fixed, "name": "groups", "task": {"name": "digits"}, "search_space": space, "budget": {"trials": 12}}
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(12):
        trial = study.ask()
        suggest(trial, definition)
        study.tell(trial, 1.0)
        expected = _GroupDecomposedSearchSpace(include_pruned=True).calculate(study)
        assert QuickGrouping(include_pruned=True).calculate(study).search_spaces == expected.search_spaces
