"""Properties of every search space, tested on random ones."""

import json
from typing import Any

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import InvalidDefinition, TrialConfig, fixed_params, load_preset, parse_definition, preset_names
from search_spaces.optuna import build_sampler, suggest
from search_spaces.parameters import PARAMETERS
from search_spaces.scalars import same
from tests.search_spaces.random_spaces import (
    active_in,
    combinations_of,
    is_possible,
    random_study,
    small_spaces,
    values_of,
    wide_spaces,
)

relaxed = settings(deadline=None)  # a shared machine keeps no time


@settings(relaxed, max_examples=200)
@given(small_spaces())
def test_a_space_is_refused_exactly_when_brute_force_finds_it_impossible(space: dict[str, Any]) -> None:
    try:
        parse_definition(random_study(space))
        accepted = True
    except InvalidDefinition:
        accepted = False
    assert accepted == is_possible(space)


@settings(relaxed, max_examples=150)
@given(small_spaces().filter(is_possible), st.integers(0, 2**32 - 1))
def test_a_grid_is_the_brute_force_enumeration(space: dict[str, Any], seed: int) -> None:
    definition = parse_definition(random_study(space, sampler={"name": "grid", "seed": seed}, budget=None))
    expected = [
        {space[name].get("parameter", name): value for name, value in combination.items()}
        for combination in combinations_of(space)
    ]
    points = list(definition.grid)
    assert definition.trials == len(points) == len(expected)
    assert all(point in expected for point in points)
    assert all(point in points for point in expected)
    assert sorted_reprs(points) == sorted_reprs(fixed_params(definition, ordinal) for ordinal in range(len(points)))


def sorted_reprs(points: Any) -> list[str]:
    return sorted(repr(sorted(point.items())) for point in points)


@relaxed
@given(small_spaces().filter(is_possible), st.integers(0, 2**32 - 1))
def test_suggestions_obey_the_conditions(space: dict[str, Any], seed: int) -> None:
    definition = parse_definition(random_study(space))
    study = optuna.create_study(sampler=build_sampler(definition, seed))
    for _ in range(3):
        trial = study.ask()
        config = suggest(trial, definition)
        assert config.extra == trial.params
        named = {name: config.extra.get(name) for name in space}
        active = active_in(space, named)
        assert set(config.extra) == {space[name].get("parameter", name) for name in active}
        for name in active:
            assert config.extra[space[name].get("parameter", name)] in values_of(space[name])


@relaxed
@given(wide_spaces, st.integers(0, 2**32 - 1))
def test_any_range_survives_json_and_bounds_its_suggestions(space: dict[str, Any], seed: int) -> None:
    space = {name: dimension for name, dimension in space.items() if name not in PARAMETERS}
    definition = parse_definition(random_study(space))
    assert parse_definition(json.loads(definition.model_dump_json())) == definition
    trial = optuna.create_study(sampler=build_sampler(definition, seed)).ask()
    config = suggest(trial, definition)
    assert TrialConfig.from_params(json.loads(json.dumps(config.as_params()))) == config
    assert set(config.extra) == set(space)
    for name, dimension in space.items():
        value = config.extra[name]
        if dimension["type"] == "categorical":
            assert any(same(value, choice) for choice in dimension["choices"])
        else:
            assert dimension["low"] <= value <= dimension["high"]
            assert type(value) is {"float": float, "int": int}[dimension["type"]]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@relaxed
@given(anything)
def test_anything_is_parsed_or_refused(data: Any) -> None:
    assert_refused_in_lines(data)


@settings(relaxed, max_examples=200)
@given(st.data())
def test_a_preset_with_anything_put_in_any_place_is_parsed_or_refused(data: st.DataObject) -> None:
    definition = load_preset(data.draw(st.sampled_from(preset_names())))
    container: Any = definition
    while True:
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        key = data.draw(st.sampled_from(keys))
        inner = container[key]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.booleans()):
            break
        container = inner
    strange = st.sampled_from([0, -1, 1e308, float("nan"), 10**400, "", "when", {}, [], [[]], {"type": "int"}])
    if isinstance(container, dict) and data.draw(st.booleans()):
        container[data.draw(st.text() | st.sampled_from(["when", "parameter", "step", "log"]))] = data.draw(anything)
    else:
        container[key] = data.draw(strange | anything)
    assert_refused_in_lines(definition)


def assert_refused_in_lines(data: Any) -> None:
    """Parsed, or refused with problems of one sendable line each that start with their path."""
    try:
        parse_definition(data)
    except InvalidDefinition as refused:
        assert refused.problems
        assert str(refused).encode().decode().count("\n") == len(refused.problems) - 1
        for problem in refused.problems:
            assert problem.message.startswith(f"{problem.path} ")
            assert len(problem.message) < 1000
