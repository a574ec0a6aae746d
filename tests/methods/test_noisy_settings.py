"""The settings of the regularizers with a noise of their own: what is refused, and what a study may search."""

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from pernodedrop.names import REGULARIZERS
from search_spaces import TrialConfig, parse_definition
from search_spaces.parameters import OPTIONS
from tests.methods.test_noisy_layers import NAMES
from tests.search_spaces.studies import categorical, space

REFUSED = [
    ("shakeout", {"c": -1.0}, "c must be finite and at least 0, got -1.0"),
    ("shakeout", {"c": "big"}, "c must be finite and at least 0, got 'big'"),
    ("standout", {"alpha": float("nan")}, "alpha must be finite and at least 0, got nan"),
    ("standout", {"beta": float("inf")}, "beta must be finite, got inf"),
    ("ninr", {"sigma": -0.1}, "sigma must be finite and at least 0, got -0.1"),
    ("ninr", {"initial_scale": -0.1}, "initial_scale must be finite and at least 0, got -0.1"),
    ("tabu", {"tenure": 0}, "tenure must be a whole number of at least 1, got 0"),
    ("tabu", {"tenure": 1.5}, "tenure must be a whole number of at least 1, got 1.5"),
    ("variational_dropout", {"alpha_per": "net"}, "alpha_per must be one of layer, unit, weight, got 'net'"),
    ("sparse_variational_dropout", {"kl_warmup": 1.5}, "kl_warmup must be a share of the steps, at most 1, got 1.5"),
    (
        "sparse_variational_dropout",
        {"initial_log_variance": float("-inf")},
        "initial_log_variance must be finite, got -inf",
    ),
    ("concrete_dropout", {"temperature": 0.0}, "temperature must be finite and above 0, got 0.0"),
    ("concrete_dropout", {"tau": 0.0}, "tau must be finite and above 0, got 0.0"),
    ("concrete_dropout", {"length_scale": -1.0}, "length_scale must be finite and at least 0, got -1.0"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_numbers_out_of_range_are_refused(name: str, options: dict[str, float], message: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(ValueError, match=message):
        regularize(model, name, options=options)
    assert type(model[0]) is nn.Linear


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("variational_dropout", 0.6, r"alpha = p / \(1 - p\) lies in \(0, 1\] for variational_dropout, got 0.6"),
        ("variational_dropout", 0.0, r"drop_rate must lie in \(0, 0.5\]"),
        ("concrete_dropout", 0.0, r"drop_rate must lie in \(0, 1\) for concrete_dropout, which starts there, got 0.0"),
    ],
)
def test_a_rate_that_a_learned_noise_cannot_start_from_is_refused(name: str, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regularize(nn.Sequential(nn.Linear(4, 4)), name, drop_rate=rate)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_may_search_all_its_settings(name: str) -> None:
    options = REGULARIZERS[name].options
    assert {option for option, known in OPTIONS.items() if name in known.of} == set(options)
    assert all(OPTIONS[option].domain.refusal(default) is None for option, default in options.items())


def test_variants_are_told_apart_by_what_shares_an_alpha() -> None:
    parse_definition(
        space(
            regularizer=categorical("none", "variational_dropout"),
            alpha_per=categorical("layer", "weight", when={"regularizer": "variational_dropout"}),
        )
    )
    chosen = {"regularizer": "variational_dropout", "alpha_per": "unit"}
    assert TrialConfig.from_params(chosen).variant == "variational_dropout-unit"


@pytest.mark.parametrize("name", [*NAMES, "block_dropout"])
def test_inputs_of_other_features_or_whole_numbers_are_refused_and_leave_the_state_as_it_was(name: str) -> None:
    """Noise of all features would make one feature many."""
    model = nn.Sequential(nn.Linear(4, 4))
    regularize(model, name, drop_rate=0.4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"^x must end in (4|its) features, got shape \(\)"):
        model(torch.tensor(1.0))
    if name != "block_dropout":  # the dense layer behind it refuses them
        with pytest.raises(ValueError, match=r"^x must end in 4 features, got shape \(2, 1\)$"):
            model(torch.ones(2, 1))
    with pytest.raises(
        RuntimeError, match=r"^x must be floating point of 16 bits at least or complex, got torch.int64"
    ):
        model(torch.ones(2, 4, dtype=torch.int64))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
