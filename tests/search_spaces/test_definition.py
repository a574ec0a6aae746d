import json

import pytest
from pydantic import ValidationError

from search_spaces import InvalidDefinition, StudyDefinition, TaskSpec, load_preset, parse_definition, preset_names
from search_spaces.conditions import in_order
from tests.search_spaces.studies import categorical, raw, real, study, whole


def test_what_is_left_out_has_its_default() -> None:
    definition = study()
    assert definition.schema_version == 1
    assert definition.task == TaskSpec(name="digits", epochs=8)
    assert [(o.metric, o.direction) for o in definition.objectives] == [("val_loss", "minimize")]
    assert (definition.sampler.name, definition.search_seed, definition.pruner.name) == ("tpe", 0, "none")
    assert (definition.seed, definition.sampler.seed) == (0, None)
    assert (definition.repeats, definition.retries, definition.trials) == (1, 2, 10)


@pytest.mark.parametrize(
    ("written", "seconds"), [("4h", 14400.0), ("30m", 1800.0), ("90s", 90.0), ("1h30m", 5400.0), (2.5, 2.5), (60, 60.0)]
)
def test_durations_are_read_as_seconds(written: str | float, seconds: float) -> None:
    budget = study(budget={"trials": 1, "wall_time": written, "device_time": written}).budget
    assert (budget.wall_time, budget.device_time) == (seconds, seconds)


def test_device_time_may_be_that_of_a_whole_fleet() -> None:
    assert study(budget={"trials": 1, "device_time": "200000h"}).budget.device_time == 7.2e8


@pytest.mark.parametrize("name", preset_names())
def test_a_definition_survives_json(name: str) -> None:
    definition = parse_definition(load_preset(name))
    assert parse_definition(json.loads(definition.model_dump_json())) == definition
    assert parse_definition(definition.model_dump(mode="json")) == definition
    assert StudyDefinition.model_validate_json(definition.model_dump_json()) == definition


def test_json_keeps_the_types_of_values() -> None:
    choices = [1, 2.0, "1", True]
    definition = study(
        task={"name": "a.b:C"},
        search_space={"x": categorical(*choices[1:], when={"y": 3})},
        fixed={"y": 3, "z": 3.0},
    )
    again = parse_definition(json.loads(definition.model_dump_json()))
    assert again == definition
    dimension = again.search_space["x"]
    assert [type(value) for value in dimension.values or ()] == [float, str, bool]
    assert [type(value) for value in again.fixed.values()] == [int, float]


def test_the_order_of_keys_in_a_file_is_of_no_account() -> None:
    space = {
        "c": categorical("x", "y", when={"a": "u"}),
        "b": whole(1, 3),
        "a": categorical("u", "v"),
        "d": real(0, 1, when={"c": "x"}),
    }
    one = study(task={"name": "m:T"}, search_space=space)
    other = study(task={"name": "m:T"}, search_space=dict(reversed(space.items())))
    assert one == other
    assert in_order(one.search_space) == in_order(other.search_space) == ["a", "b", "c", "d"]


def test_a_definition_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        study().name = "other"


def test_a_definition_built_in_python_obeys_the_rules_too() -> None:
    with pytest.raises(InvalidDefinition, match=r"^budget.trials is missing"):
        StudyDefinition(name="x", task=TaskSpec(name="digits"), search_space={})


def test_several_problems_are_told_at_once() -> None:
    bad = raw(search_space={"drop_rate": real(-0.5, 1.2), "units": whole(0, 3)})
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(bad)
    assert [problem.path for problem in refused.value.problems] == [
        "search_space.drop_rate.low",
        "search_space.drop_rate.high",
        "search_space.units.low",
    ]
    assert str(refused.value).splitlines() == [problem.message for problem in refused.value.problems]
