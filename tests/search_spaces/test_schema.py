import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import search_spaces
from search_spaces import definition_schema, load_preset, parse_definition, preset_names
from tests.search_spaces.studies import categorical, own, raw, real, whole

PUBLISHED = Path(search_spaces.__file__).with_name("study.schema.json")


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(definition_schema())


def test_the_published_schema_is_current() -> None:
    remedy = "write it anew: json.dumps(search_spaces.definition_schema(), indent=2) and a line feed"
    assert PUBLISHED.read_text(encoding="utf-8") == json.dumps(definition_schema(), indent=2) + "\n", remedy


def test_the_schema_obeys_its_own_draft() -> None:
    assert definition_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(definition_schema())


def test_every_field_says_what_it_is_for() -> None:
    schema = definition_schema()
    parts = {"": schema, **schema["$defs"]}
    assert [
        f"{part}.{name}"
        for part, node in parts.items()
        for name, field in node.get("properties", {}).items()
        if "description" not in field and "const" not in field
    ] == []


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_satisfies_the_schema_as_written_and_as_sent(
    name: str, validator: jsonschema_rs.Draft202012Validator
) -> None:
    validator.validate(load_preset(name))
    validator.validate(parse_definition(load_preset(name)).model_dump(mode="json"))


@pytest.mark.parametrize(
    "good",
    [
        own({"x": whole(1, 2, when={"y": ["a", 1], "z": True})}),
        raw(budget={"trials": 3, "wall_time": 60.5, "trial_timeout": "1h30m"}),
        raw(sampler={"name": "nsgaii", "population_size": 8}, pruner={"name": "wilcoxon"}),
    ],
)
def test_every_way_of_writing_is_in_the_schema(good: Any, validator: jsonschema_rs.Draft202012Validator) -> None:
    assert validator.is_valid(good)


@pytest.mark.parametrize(
    "bad",
    [
        raw(name=None),
        raw(unknown=1),
        raw(search_space={"x": {"low": 1, "high": 2}}),
        raw(search_space={"x": {"type": "real", "low": 1, "high": 2}}),
        raw(search_space={"x": real(1, 2, stepp=1)}),
        raw(search_space={"x": categorical()}),
        raw(search_space={"x": categorical(None)}),
        raw(search_space={"x y": whole(1, 2)}),
        raw(sampler={"name": "hyperopt"}),
        raw(sampler={"seed": 3}),
        raw(budget={"trials": 1, "wall_time": "4 hours"}),
        raw(objectives=[{"metric": "test_loss"}]),
    ],
)
def test_wrong_shapes_are_not_in_the_schema(bad: Any, validator: jsonschema_rs.Draft202012Validator) -> None:
    assert not validator.is_valid(bad)
