"""A remedy that a message names is taken when it is followed."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from search_spaces import InvalidDefinition, parse_definition
from search_spaces.yaml_text import read_yaml

WHOLE = {
    "name": "whole",
    "task": {"name": "digits", "epochs": 20, "train_size": 100},
    "search_space": {
        "drop_rate": {"type": "float", "low": 0.0, "high": 0.5},
        "units": {"type": "int", "low": 8, "high": 64, "step": 8},
        "batch_size": {"type": "categorical", "choices": [32, 64]},
        "weight_decay": {"type": "categorical", "choices": [0.001, 0.01]},
    },
    "fixed": {
        "regularizer": "dropout",
        "learning_rate": 0.001,
        "learning_rate_cycles": 5,
        "learning_rate_schedule": "snapshot",
    },
    "sampler": {"name": "tpe", "n_startup_trials": 5},
    "pruner": {"name": "median", "n_warmup_epochs": 2},
    "budget": {"trials": 10, "wall_time": 60, "patience": 5},
    "confirmation": {"top": 1, "repeats": 3, "until": "decided", "most_repeats": 9, "indifference": 0.01},
    "evaluation": {"passes": 5},
    "seed": 3,
    "priority": 1,
    "retries": 2,
    "start_with": [{"units": 8}],
}
WRITTEN = (
    "1e-3",
    "1e1",
    "10",
    "10.0",
    "0.5",
    "8",
    "inf",
    "nan",
    "-1",
    "1_0",
    " 8",
    "abc",
    "1e400",
    10.0,
    8.0,
    0.5,
    1e300,
)
REMEDY = re.compile(r"\((?:that is text: )?write (\S+?)(?: without quotes)?\)$")


def numbers(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all numbers in the data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list):
            yield from numbers(value, (*path, key))
        elif isinstance(value, int | float):
            yield (*path, key)


def put(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    whole = deepcopy(WHOLE)
    place: Any = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return whole


def complaints(definition: dict[str, Any]) -> list[str]:
    try:
        parse_definition(definition)
    except InvalidDefinition as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("path", list(numbers(WHOLE)), ids=lambda path: ".".join(map(str, path)))
def test_a_number_is_taken_as_its_remedy_writes_it(path: tuple[Any, ...]) -> None:
    named = 0
    for written in WRITTEN:
        for message in complaints(put(path, written)):
            assert not re.search(r"\b(inf|nan|Infinity|NaN)\b.*write", message)
            if remedy := REMEDY.search(message):
                named += 1
                rule = message.partition(", got")[0]
                assert not any(rule in other for other in complaints(put(path, read_yaml(remedy[1])))), message
    assert named or path == ("budget", "wall_time")


def test_whole_numbers_may_be_written_as_in_json() -> None:
    definition = parse_definition(put(("task", "epochs"), 2e1) | {"seed": 3.0, "priority": -1.0})
    assert (definition.task.epochs, definition.seed, definition.priority) == (20, 3, -1)
    assert [type(value) for value in (definition.task.epochs, definition.seed, definition.priority)] == [int] * 3
    assert complaints(put(("task", "epochs"), 2.5)) == ["task.epochs must be a whole number, got 2.5"]
    assert complaints(put(("search_space", "batch_size", "choices"), [32.0])) == [
        "search_space.batch_size.choices[0] must be a whole number, got 32.0 (write 32)"
    ]
