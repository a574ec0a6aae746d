"""The definition of a study that an own loop trains: its parameters have no meaning here."""

from typing import Any

import pytest

from search_spaces import InvalidDefinition, parse_definition, variant_of
from search_spaces.race import contenders


def raw(**parts: Any) -> dict[str, Any]:
    return {
        "name": "mine",
        "task": {"name": "external", "epochs": 3},
        "search_space": {
            "units": {"type": "categorical", "choices": ["few", "many"]},  # a built-in task takes a number
            "drop_rate": {"type": "float", "low": 2.0, "high": 3.0},
            "masks": {"type": "int", "low": -5, "high": 5},
            "stir_type": {"type": "categorical", "choices": ["custom", "mine"]},
        },
        "fixed": {"optimizer": "lion", "regularizer": "none", "momentum": 7},
        "budget": {"trials": 4},
        **parts,
    }


def test_any_parameter_may_have_any_value() -> None:
    definition = parse_definition(raw())
    assert all(not dimension.when for dimension in definition.search_space.values())  # nothing is without effect
    assert definition.keep == "none"
    again = parse_definition(definition.model_dump(mode="json"))
    assert again == definition


def test_variants_are_raced_where_the_study_names_the_regularizer() -> None:
    space = {
        "regularizer": {"type": "categorical", "choices": ["none", "dropout", "my-noise"]},
        "p": {"type": "float", "low": 0.0, "high": 0.9, "when": {"regularizer": ["dropout", "my-noise"]}},
    }
    definition = parse_definition(raw(search_space=space, fixed={}, confirmation={"top": 1, "repeats": 2}))
    assert definition.search == "race"
    assert [each.variant for each in contenders(definition)] == ["dropout", "my-noise", "none"]
    assert variant_of({"regularizer": "my-noise", "p": 0.3}) == "my-noise"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"task": {"name": "external", "options": {"a": 1}}},
            "task.options must be left out with task.name external: the loop gets search_space and fixed alone, so "
            "write settings into fixed, got an object",
        ),
        (
            {"task": {"name": "external", "train_size": 100}},
            "task.train_size must be left out with task.name external: the loop has its own data, so write a number "
            "of samples into fixed, got 100",
        ),
        (
            {"task": {"name": "external", "precision": "bfloat16"}},
            "task.precision must be left out with task.name external: the loop chooses its own, so write it into "
            'fixed, got "bfloat16"',
        ),
        (
            {"keep": "best"},
            'keep must be left out with task.name external: the loop keeps its weights itself, got "best"',
        ),
        (
            {"evaluation": {"passes": 4}, "confirmation": {"top": 1, "repeats": 2}},
            "evaluation must be left out with task.name external: the models are not here to be examined, got an "
            "object",
        ),
        (
            {"repeats_vary": ["seed", "split"]},
            "repeats_vary must be left out with task.name external: a repeat has a seed, and the loop divides its "
            "data, got a list",
        ),
        (
            {"folds": 5},
            "folds must be left out with task.name external: a repeat has a seed, and the loop divides its data, got 5",
        ),
    ],
)
def test_what_cannot_be_asked_of_foreign_code_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(raw(**parts))
    assert str(refused.value) == message


def test_a_misspelt_task_is_told_the_own_loop() -> None:
    with pytest.raises(InvalidDefinition, match='got "externl": did you mean "external"'):
        parse_definition(raw(task={"name": "externl"}))
