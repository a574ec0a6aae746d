import itertools
from typing import Any

import pytest

from search_spaces import (
    InvalidDefinition,
    StudyDefinition,
    TrialConfig,
    fixed_params,
    load_preset,
    parse_definition,
    parse_shape,
    recorded_params,
)
from search_spaces.dimensions import Steps
from tests.search_spaces.studies import categorical, own, raw, real, whole


def gridded(space: dict[str, Any], **changes: Any) -> StudyDefinition:
    return parse_definition(own(space, **{"sampler": {"name": "grid", "seed": 5}, "budget": None, **changes}))


CONDITIONAL = {
    "r": categorical("a", "b"),
    "s": categorical("g", "h", when={"r": "b"}),
    "x": whole(1, 5, step=2, when={"s": "h"}),
    "y": real(0.0, 0.2, step=0.1),
}


def test_each_valid_combination_is_there_once() -> None:
    expected = [{"r": "a", "y": y} for y in (0.0, 0.1, 0.2)]
    expected += [{"r": "b", "s": "g", "y": y} for y in (0.0, 0.1, 0.2)]
    expected += [{"r": "b", "s": "h", "x": x, "y": y} for x in (1, 3, 5) for y in (0.0, 0.1, 0.2)]
    points = gridded(CONDITIONAL).grid
    assert sorted(map(repr, map(sorted_items, points))) == sorted(map(repr, map(sorted_items, expected)))


def sorted_items(point: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(point.items())


def test_a_grid_is_a_sequence() -> None:
    points = gridded(CONDITIONAL).grid
    assert points[-1] == list(points)[-1]
    assert points[2:7:2] == list(points)[2:7:2]
    with pytest.raises(IndexError):
        points[len(points)]


def test_steps_are_decimal() -> None:
    assert list(Steps(0.0, 0.9, 0.1)) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert Steps(-1.0, 1.0, 0.25)[1:3] == [-0.75, -0.5]
    with pytest.raises(IndexError):
        Steps(0.0, 0.9, 0.1)[10]


def test_a_study_of_a_grid_has_as_many_trials_as_combinations() -> None:
    assert gridded(CONDITIONAL).trials == 15
    assert gridded(CONDITIONAL, budget={"trials": 4}).trials == 4
    assert gridded({}).trials == 1


def test_a_grid_too_large_to_write_down_is_counted_and_indexed() -> None:
    points = gridded({"x": whole(1, 1000), "y": whole(1, 1000)}).grid
    assert len(points) == 1_000_000
    assert points[999_999] == {"x": 1000, "y": 1000}


def test_a_grid_is_visited_once() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        gridded(CONDITIONAL, budget={"trials": 16})
    assert str(refused.value) == (
        "budget.trials must be at most 15, the configurations of the grid, got 16: leave it out, and set repeats to "
        "train each under several seeds"
    )
    outside = [{"params": {"n": 9}, "outside": True}]
    assert gridded(CONDITIONAL, budget={"trials": 16}, start_with=outside).trials == 16


def test_a_stored_study_visits_its_grid_in_shuffled_laps() -> None:
    stored = gridded(CONDITIONAL).model_dump(mode="json")
    definition = parse_shape({**stored, "budget": {"trials": 40}})
    runs = [fixed_params(definition, ordinal) for ordinal in range(30)]
    everything = sorted(map(repr, definition.grid))
    for lap in (runs[:15], runs[15:]):
        assert sorted(map(repr, lap)) == everything
    assert runs[:15] != list(definition.grid)
    assert runs[:15] != runs[15:]
    assert runs == [fixed_params(definition, ordinal) for ordinal in range(30)]
    other = gridded(CONDITIONAL, sampler={"name": "grid", "seed": 6})
    assert runs[:15] != [fixed_params(other, ordinal) for ordinal in range(15)]


def test_other_samplers_fix_nothing() -> None:
    assert fixed_params(parse_definition(raw()), 0) is None


@pytest.mark.parametrize(
    ("preset", "widths", "masksembles"),
    [
        ("paper-table1-cifar10", (32, 64, 128), True),
        ("paper-table2-rcv1", (128,), False),
        ("paper-table3-speech", (32, 64, 128), True),
    ],
)
def test_the_tables_of_the_paper_hold_every_variant_at_every_rate_and_width(
    preset: str, widths: tuple[int, ...], masksembles: bool
) -> None:
    definition = parse_definition(load_preset(preset))
    configs = [TrialConfig.from_params(recorded_params(definition, params)) for params in definition.grid]
    rates = [number / 10 for number in range(10)]
    variants = ["dropout", "gaussian_dropout", "dropconnect"]
    variants += [f"pernodedrop-{s}-{m}" for s in ("bernoulli", "gaussian") for m in ("dynamic", "fixed")]
    cells = [(config.variant, config.drop_rate, config.units) for config in configs]
    expected = set(itertools.product(variants, rates, widths))
    if masksembles:
        expected |= set(itertools.product(["masksembles"], [rate for rate in rates if 1 / (1 - rate) <= 6], widths))
    assert len(cells) == len(set(cells))
    assert set(cells) == expected
