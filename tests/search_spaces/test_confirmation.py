import pytest

from search_spaces import Confirmation, InvalidDefinition, parse_definition
from tests.search_spaces.studies import raw, study

SEVERAL = [{"metric": "val_loss"}, {"metric": "train_loss"}]


def test_a_study_confirms_nothing_unless_asked() -> None:
    assert study().confirmation is None
    assert study().confirmation_epochs == 0


def test_the_usual_confirmation() -> None:
    definition = study(confirmation={})
    assert definition.confirmation == Confirmation(top=1, repeats=5)
    assert definition.confirmation_epochs == 5 * definition.task.epochs
    assert definition.trials == 10  # its runs are no trials of the search's budget


@pytest.mark.parametrize(
    ("confirmation", "message"),
    [
        ({"top": 0}, "confirmation.top must be at least 1, got 0"),
        ({"top": 101}, "confirmation.top must be at most 100, got 101"),
        ({"repeats": 1}, "confirmation.repeats must be at least 2, got 1"),
        ({"repeats": 101}, "confirmation.repeats must be at most 100, got 101"),
        ({"tops": 1}, "confirmation.tops is no known field: did you mean top?"),
        (
            True,
            "confirmation must be an object, got true: its fields are top, repeats, until, most_repeats, indifference, "
            "prefer",
        ),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(confirmation: object, message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(raw(confirmation=confirmation))
    assert str(refused.value) == message


def test_several_objectives_cannot_be_confirmed() -> None:
    with pytest.raises(InvalidDefinition, match="confirmation must be left out with several objectives"):
        parse_definition(raw(objectives=SEVERAL, confirmation={"top": 2}))


def test_a_metric_has_its_name_on_the_test_split() -> None:
    assert study().objectives[0].tested == "test_loss"
    assert study(objectives=[{"metric": "train_step_loss"}]).objectives[0].tested == "test_step_loss"


def test_until_it_is_decided_has_its_own_settings_which_are_not_stored_without_it() -> None:
    decided = study(confirmation={"until": "decided", "prefer": "dropout"}).confirmation
    assert decided is not None
    assert (decided.repeats, decided.most_repeats, decided.indifference, decided.prefer) == (5, 30, 0.0, "dropout")
    assert decided.most == 30
    fixed = study(confirmation={"repeats": 40})
    assert fixed.confirmation is not None
    assert fixed.confirmation.most == 40
    stored = fixed.model_dump(mode="json")
    assert stored["confirmation"] == {"top": 1, "repeats": 40, "until": "fixed"}
    assert parse_definition(stored) == fixed  # what is stored can be submitted again


@pytest.mark.parametrize(
    ("confirmation", "message"),
    [
        (
            {"most_repeats": 30},
            "confirmation.most_repeats needs confirmation.until: decided, which goes on until the best is known, "
            "got 30",
        ),
        (
            {"until": "decided", "repeats": 40},
            "confirmation.most_repeats must be at least confirmation.repeats (40), got 30",
        ),
        (
            {"until": "decided", "prefer": "drop out"},
            'confirmation.prefer must be "cheapest" or "dropout", got "drop out": did you mean "dropout"?',
        ),
    ],
)
def test_what_does_not_go_together_is_refused(confirmation: object, message: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(raw(confirmation=confirmation))
    assert str(refused.value) == message
