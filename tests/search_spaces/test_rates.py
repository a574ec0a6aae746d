"""Drop rates that a regularizer cannot have are refused with the definition, and no others."""

from itertools import product

import pytest
from torch import nn

from pernodedrop import regularize
from pernodedrop.names import LAWS
from pernodedrop.processes import checked_share
from search_spaces import InvalidDefinition
from search_spaces.parameters import RATES
from search_spaces.rules.correlations import correlation_refusal
from tests.search_spaces.studies import categorical, real, study

TRIED = (0.0, 1e-6, 0.3, 0.5, 0.5000001, 0.83, 0.834, 0.9, 0.999)


@pytest.mark.parametrize("regularizer", [name for name, domain in RATES.items() if domain is not None])
@pytest.mark.parametrize("rate", TRIED)
def test_the_table_says_what_the_layers_say(regularizer: str, rate: float) -> None:
    """Both in one place would need torch, which the controller has not."""
    model = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 2))
    try:
        regularize(model, regularizer, lambda name, _: name == "2", drop_rate=rate)
        built = True
    except ValueError:
        built = False
    domain = RATES[regularizer]
    assert domain is not None
    assert built == (domain.refusal(rate) is None)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"search_space": {"regularizer": categorical("dropout", "masksembles"), "drop_rate": real(0.1, 0.9)}},
            "search_space.drop_rate.high must be at most 0.833333, got 0.9 for masksembles: give masksembles a range "
            "of its own (parameter: drop_rate, when: {regularizer: ...})",
        ),
        (
            {"fixed": {"regularizer": "variational_dropout"}, "search_space": {"drop_rate": categorical(0.2, 0.8)}},
            "search_space.drop_rate.choices[1] must be at most 0.5, got 0.8 for variational_dropout: give "
            "variational_dropout a range of its own (parameter: drop_rate, when: {regularizer: ...})",
        ),
        (
            {
                "fixed": {"drop_rate": 0.0},
                "search_space": {"regularizer": categorical("none", "concrete_dropout")},
            },
            "fixed.drop_rate must be above 0, got 0.0 for concrete_dropout",
        ),
    ],
)
def test_a_rate_that_fails_in_every_trial_is_refused(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        study(**changes)
    assert str(refused.value) == line


def test_a_range_that_never_meets_the_regularizer_is_taken() -> None:
    study(
        search_space={
            "regularizer": categorical("dropout", "masksembles"),
            "drop_rate": real(0.1, 0.9, when={"regularizer": "dropout"}),
            "few": real(0.0, 0.8, parameter="drop_rate", when={"regularizer": "masksembles"}),
        }
    )


RECURRENT = {"name": "digits", "options": {"backbone": "gru"}}
MODES = {"regularizer": categorical("dropout", "pernodedrop"), "mask_mode": categorical("fixed", "dynamic")}


def test_a_correlation_that_meets_a_fixed_mask_is_refused() -> None:
    rule = (
        'time_correlation cannot be combined with mask_mode "fixed", whose one mask all positions share: search it '
        "under when: {mask_mode: dynamic}, or fix mask_mode to dynamic"
    )
    with pytest.raises(InvalidDefinition) as refused:
        study(task=RECURRENT, search_space={**MODES, "time_correlation": real(0.0, 1.0)})
    assert str(refused.value) == f"search_space.{rule}"
    with pytest.raises(InvalidDefinition) as refused:
        study(task=RECURRENT, search_space=MODES, fixed={"time_correlation": 0.5})
    assert str(refused.value) == f"fixed.{rule}"
    with pytest.raises(InvalidDefinition, match=r"^fixed.mask_groups cannot .* whose one mask all samples share"):
        study(search_space=MODES, fixed={"mask_groups": 4})


def test_a_correlation_that_never_meets_a_fixed_mask_is_taken() -> None:
    correlation = real(0.0, 1.0, when={"mask_mode": "dynamic"})
    study(task=RECURRENT, search_space={**MODES, "time_correlation": correlation})
    study(task=RECURRENT, search_space={**MODES, "time_correlation": categorical(0, 1)})  # fresh masks, or shared ones


@pytest.mark.parametrize("law", ["bernoulli", "gaussian", "partial_gaussian"])
def test_the_bound_of_a_correlation_is_the_one_of_the_layers(law: str) -> None:
    for correlation, rate in product(
        (-1.0, -0.999, -2 / 3, -0.25, -1e-3, 0.0, 0.5), (0.0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.9)
    ):
        try:
            checked_share(correlation, LAWS[law].of(rate, 0.5))
            fits = True
        except ValueError:
            fits = False
        assert (correlation_refusal(correlation, law, rate) is None) == fits, (correlation, rate)


NOISE = {"regularizer": "pernodedrop"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"search_space": {"drop_rate": real(0.1, 0.5)}, "fixed": {**NOISE, "time_correlation": -0.5}},
            'fixed.time_correlation must be at least -0.1111 for stir_type "bernoulli" at drop_rate 0.1, got -0.5: '
            'raise it, take stir_type "gaussian", which has any above -1, or search it for other drop rates',
        ),
        (
            {
                "search_space": {
                    "drop_rate": real(0.0, 0.8, step=0.2),
                    "time_correlation": categorical(-0.25, -0.3, 0),
                },
                "fixed": NOISE,
            },
            'search_space.time_correlation.choices[1] must be at least -0.25 for stir_type "bernoulli" at drop_rate '
            '0.8, got -0.3: raise it, take stir_type "gaussian", which has any above -1, or search it for other drop '
            "rates",
        ),
        (
            {
                "search_space": {"time_correlation": real(-1, 0.5)},
                "fixed": {**NOISE, "stir_type": "gaussian"},
            },
            'search_space.time_correlation.low must be above -1 for stir_type "gaussian" at drop_rate 0.5, got -1.0: '
            "raise it or search it for other drop rates",
        ),
    ],
)
def test_a_correlation_that_its_law_cannot_have_is_refused(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        study(task=RECURRENT, **changes)
    assert str(refused.value) == line


def test_a_correlation_under_a_condition_is_judged_there_alone() -> None:
    noise = {"regularizer": categorical("dropout", "pernodedrop"), "stir_type": categorical("bernoulli", "gaussian")}
    negative = real(-0.9, 0.5, when={"stir_type": "gaussian", "regularizer": "pernodedrop"})
    study(task=RECURRENT, search_space={**noise, "drop_rate": real(0.1, 0.5), "time_correlation": negative})
    rates = {
        "rate": real(0.1, 0.9, parameter="drop_rate", when={"regularizer": "dropout"}),
        "even": real(0.4, 0.6, parameter="drop_rate", when={"regularizer": "pernodedrop"}),
    }
    study(task=RECURRENT, search_space={**noise, **rates, "time_correlation": real(-0.6, 0.5)})
    with pytest.raises(InvalidDefinition, match=r"at least -0\.6667 for stir_type \"bernoulli\" at drop_rate 0\.4"):
        study(task=RECURRENT, search_space={**noise, **rates, "time_correlation": real(-0.7, 0.5)})
