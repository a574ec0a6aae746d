"""A searched drop-rate schedule tells variants apart; the names of other studies stay."""

from typing import Any

import pytest

from search_spaces import Scale, StudyShape, parse_definition, scaled, variant_of
from search_spaces.variants import telling_in, variants_of
from service.storage.runs.confirmation import unconfirmed
from tests.search_spaces.studies import categorical, own, raw

REGULARIZERS = categorical("none", "dropout", "pernodedrop")
NAMES = {"none", "dropout", "pernodedrop-bernoulli-dynamic"}


def study(schedule: dict[str, Any] | None = None, **changes: Any) -> Any:
    space = {"regularizer": REGULARIZERS, "drop_rate": categorical(0.2, 0.5, when={"regularizer": ["dropout"]})}
    space |= {} if schedule is None else {"drop_rate_schedule": schedule}
    return parse_definition(raw(**{"search_space": space, "fixed": {}, **changes}))


def names(definition: Any) -> set[str]:
    return set(variants_of(definition.search_space, definition.fixed))


def test_schedules_that_are_searched_are_variants_of_their_own() -> None:
    found = names(study(categorical("constant", "linear_up", "early")))
    noisy = NAMES - {"none"}
    assert found == NAMES | {f"{name}-{schedule}" for name in noisy for schedule in ("linear_up", "early")}


@pytest.mark.parametrize(
    "definition",
    [
        study(),
        study(fixed={"drop_rate_schedule": "linear_up"}),
        study(categorical("linear_up", when={"regularizer": ["dropout"]})),  # one value is a way of fixing it
    ],
)
def test_one_schedule_is_no_part_of_a_name(definition: Any) -> None:
    assert names(definition) == NAMES
    assert telling_in(definition.search_space) == ()


def test_a_parameter_of_an_own_task_with_that_name_is_none() -> None:
    space = {"regularizer": REGULARIZERS, "drop_rate_schedule": categorical("mine", "linear_up")}
    assert names(StudyShape.model_validate(own(space))) == NAMES


def test_a_schedule_can_be_chosen_by_its_name() -> None:
    smaller = scaled(study(categorical("constant", "linear_up", "early")), Scale(variants=["dropout-early"]))
    assert smaller.search_space["drop_rate_schedule"].values == ("early",)
    assert names(smaller) == {"dropout"}  # which has one schedule now


def test_each_schedule_is_confirmed() -> None:
    confirmed = {"repeats": 3, "top": 1}
    definition = study(categorical("constant", "linear_up"), confirmation=confirmed)
    ranked = [
        {"regularizer": "dropout", "drop_rate": rate, "drop_rate_schedule": schedule}
        for schedule in ("constant", "linear_up")
        for rate in (0.5, 0.2)
    ]
    assert unconfirmed(definition, ranked, []) == [ranked[0], ranked[2]]
    assert variant_of(ranked[2], telling_in(definition.search_space)) == "dropout-linear_up"
