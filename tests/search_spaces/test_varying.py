"""What the repeats of a study differ in: `repeats_vary` and `folds`."""

from typing import Any

import pytest

from search_spaces import InvalidDefinition, StudyShape, parse_definition
from search_spaces.scale import Scale, scaled
from search_spaces.task import BUILT_IN_TASKS, BuiltInTask, Samples
from tests.search_spaces.studies import own, raw, real, study

BOTH = ["seed", "split"]


def test_seeds_alone_vary_unless_asked() -> None:
    usual = study()
    assert (usual.repeats_vary, usual.splits_anew, usual.folds) == (("seed",), False, None)
    stored = usual.model_dump(mode="json")
    del stored["repeats_vary"], stored["folds"]  # as an earlier release stored it
    assert StudyShape.model_validate(stored).model_dump() == usual.model_dump()


@pytest.mark.parametrize("task", ["digits", "cifar10", "speech_commands", "rcv1", "linear_factorization"])
def test_every_built_in_task_splits_anew(task: str) -> None:
    assert study(task={"name": task}, repeats_vary=BOTH).splits_anew


def test_folds_go_with_both() -> None:
    given = study(folds=5, repeats=5, repeats_vary=BOTH, confirmation={"repeats": 10})
    assert (given.folds, given.splits_anew) == (5, True)
    assert parse_definition(own({"depth": real(0, 1)}, folds=20, confirmation={"repeats": 20})).folds == 20


def small(limit: int, **changes: Any) -> tuple[int, int]:
    given = scaled(study(folds=5, confirmation={"repeats": 20}, **changes), Scale(repeats=limit))
    assert given.confirmation is not None
    return given.repeats, given.confirmation.repeats


def test_a_smaller_study_tests_on_every_fold() -> None:
    assert small(13, repeats=20) == (10, 10)
    assert small(3, repeats=20) == (1, 5)
    assert small(30, repeats=5) == (5, 20)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (
            raw(repeats_vary=["split"]),
            'repeats_vary must hold "seed": write [seed, split], or leave it out for [seed], got ["split"]',
        ),
        (raw(repeats_vary=["seed", "seed"]), 'repeats_vary[1] is in the list already, got "seed"'),
        (
            raw(task={"name": "digits", "options": {"split_seed": 3}}, repeats_vary=BOTH),
            "task.options.split_seed must be left out with repeats_vary: [seed, split], which draws a split for every "
            "repeat, got 3",
        ),
        (
            raw(task={"name": "cifar10"}, folds=5),
            'folds must be left out: cifar10 has a test split of its own, and only "digits" and own tasks are cut; '
            "repeats_vary: [seed, split] draws its validation split anew",
        ),
        (raw(folds=5, repeats=7), "repeats must be 1 or a multiple of folds (5), got 7"),
        (
            raw(folds=4, confirmation={"repeats": 5}),
            "confirmation.repeats must be a multiple of folds (4), so that every fold tests equally often, got 5",
        ),
        (
            raw(folds=5, confirmation={}, evaluation={}),
            "evaluation must be left out with folds: it compares what models say of the same inputs; "
            "repeats_vary: [seed, split] keeps the test split",
        ),
        (raw(folds=1), "folds must be at least 2, got 1"),
        (raw(folds=21), "folds must be at most 20, got 21"),
        (
            raw(repeats_vary=["seed", "splits"]),
            'repeats_vary[1] must be "seed" or "split", got "splits": did you mean "split"?',
        ),
    ],
)
def test_what_cannot_vary_is_refused_in_one_line(refused: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        parse_definition(refused)
    assert [problem.message for problem in error.value.problems] == [message]


def test_a_task_of_another_distribution_says_that_it_can() -> None:
    BUILT_IN_TASKS.register("quadrant", BuiltInTask("elsewhere:Quadrant", Samples(), Samples()))
    try:
        with pytest.raises(InvalidDefinition, match="quadrant cannot draw its validation split anew"):
            study(task={"name": "quadrant"}, repeats_vary=BOTH)
    finally:
        BUILT_IN_TASKS.remove("quadrant")
