"""The part `evaluation` of a definition."""

import pytest

from search_spaces import Evaluation, InvalidDefinition, StudyShape, parse_definition
from tests.search_spaces.studies import own, raw, real, study

HELD_OUT = {"name": "digits", "options": {"held_out": "8 9"}}
SEVERAL = [{"metric": "val_loss"}, {"metric": "train_loss"}]


def with_evaluation(**evaluation: object) -> dict[str, object]:
    return raw(confirmation={}, evaluation=evaluation)


def test_a_study_examines_nothing_unless_asked() -> None:
    assert study().evaluation is None
    stored = study().model_dump(mode="json")
    del stored["evaluation"]  # as an earlier release stored it
    assert StudyShape.model_validate(stored).evaluation is None


def test_the_usual_evaluation() -> None:
    usual = study(confirmation={}, evaluation={}).evaluation
    assert usual == Evaluation(passes=20, out_of_distribution=(), inputs=2000)


def test_a_built_in_task_offers_sets_by_name() -> None:
    sets = ["held_out", "gaussian_noise"]
    definition = study(task=HELD_OUT, confirmation={}, evaluation={"out_of_distribution": sets, "passes": 5})
    assert definition.evaluation is not None
    assert definition.evaluation.out_of_distribution == tuple(sets)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (
            raw(evaluation={}),
            "evaluation needs a confirmation, whose models it examines: add confirmation: {top: 1, repeats: 5}",
        ),
        (
            raw(evaluation={}, objectives=SEVERAL),
            "evaluation must be left out with several objectives: it examines models of the confirmation, "
            "which they exclude",
        ),
        (with_evaluation(passes=1), "evaluation.passes must be at least 2, got 1"),
        (with_evaluation(passes=1001), "evaluation.passes must be at most 1000, got 1001"),
        (with_evaluation(inputs=99), "evaluation.inputs must be at least 100, got 99"),
        (with_evaluation(pases=3), "evaluation.pases is no known field: did you mean passes?"),
        (
            raw(confirmation={}, evaluation=True),
            "evaluation must be an object, got true: its fields are passes, out_of_distribution, inputs",
        ),
        (
            with_evaluation(out_of_distribution=["../x"]),
            "evaluation.out_of_distribution[0] must be a name of at most 64 letters, digits and _ that starts with "
            'no digit, got "../x"',
        ),
        (
            with_evaluation(out_of_distribution=["gaussian_noise"] * 2),
            'evaluation.out_of_distribution[1] is in the list already, got "gaussian_noise"',
        ),
        (
            own({"x": real(0, 1)}, confirmation={}, evaluation={"out_of_distribution": ["test"]}),
            "evaluation.out_of_distribution[0] must be a set out of distribution, not a split, "
            'which is always examined, got "test"',
        ),
        (
            with_evaluation(out_of_distribution=["gausian_noise"]),
            "evaluation.out_of_distribution[0] must be a set that digits offers (did you mean gaussian_noise?), "
            'got "gausian_noise"',
        ),
        (
            with_evaluation(out_of_distribution=["fog"]),
            "evaluation.out_of_distribution[0] must be a set that digits offers "
            '("held_out", "gaussian_noise" or "contrast"), got "fog"',
        ),
        (
            raw(
                task={"name": "linear_factorization"},
                search_space={"learning_rate": real(0.1, 0.2)},
                confirmation={},
                evaluation={},
            ),
            "evaluation must be left out: it needs models that predict probabilities, and those of "
            "linear_factorization predict numbers",
        ),
        (
            with_evaluation(out_of_distribution=["contrast", "held_out"]),
            "evaluation.out_of_distribution[1] needs task.options.held_out, the classes that no model learns: "
            'for example held_out: "8 9" for digits',
        ),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(refused: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        parse_definition(refused)
    assert str(error.value) == message


def test_the_worker_judges_the_names_of_an_own_task() -> None:
    definition = own({"x": real(0, 1)}, confirmation={}, evaluation={"out_of_distribution": ["whatever_it_has"]})
    assert parse_definition(definition).evaluation is not None


@pytest.mark.parametrize(
    ("task", "held_out", "message"),
    [
        ("cifar10", "catt dog", "names 'catt', which is no class of cifar10: did you mean cat?"),
        ("digits", "8 ten", "names 'ten', which is no class of digits: it has 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (
            "digits",
            "0 1 2 3 4 5 6 7 8",
            "must leave at least 2 classes of digits to learn, got 9 of 10: hold out fewer",
        ),
        ("digits", True, 'must name classes, such as "8 9", got True'),
        ("rcv1", "CCAT", "names 'CCAT', which is no class of rcv1: it has 0, 1, 2, ..., 102"),
    ],
)
def test_classes_that_no_task_can_hold_out_are_refused_at_once(task: str, held_out: object, message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        study(task={"name": task, "options": {"held_out": held_out}})
    assert str(refused.value) == f"task.options.held_out {message}"


def test_words_and_numbers_that_a_task_may_have_are_taken() -> None:
    study(task={"name": "speech_commands", "options": {"held_out": "bed"}})  # of another folder than the published one
    study(task={"name": "digits", "options": {"held_out": 8}})
    study(task={"name": "cifar10", "options": {"held_out": "cat, 9"}})
