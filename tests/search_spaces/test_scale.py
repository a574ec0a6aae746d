import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import (
    InvalidDefinition,
    InvalidScale,
    Scale,
    StudyDefinition,
    TrialConfig,
    load_preset,
    named_scale,
    parse_definition,
    preset_names,
    recorded_params,
    scaled,
)
from search_spaces.variants import variants_of
from tests.search_spaces.studies import categorical, raw, real, whole

PAPER = ["paper-table1-cifar10", "paper-table2-rcv1", "paper-table3-speech"]


def preset(name: str) -> StudyDefinition:
    return parse_definition(load_preset(name))


def cells(definition: StudyDefinition) -> set[tuple[str, float, int]]:
    """Every combination of the grid: variant, rate, units."""
    configs = [TrialConfig.from_params(recorded_params(definition, params)) for params in definition.grid]
    return {(config.variant, config.drop_rate, config.units) for config in configs}


def small(**changes: Any) -> StudyDefinition:
    return parse_definition(raw(**changes))


def test_no_scale_is_the_study_itself() -> None:
    for name in preset_names():
        assert scaled(preset(name), Scale()) == preset(name)
        assert scaled(preset(name), named_scale("full", preset(name))) == preset(name)


@pytest.mark.parametrize("name", PAPER)
def test_a_scaled_grid_is_the_part_of_the_grid_that_was_asked_for(name: str) -> None:
    whole_, rates, variants = preset(name), (0.2, 0.4, 0.6), ("dropout", "pernodedrop-gaussian")
    smaller = scaled(whole_, Scale(rates=rates, variants=variants))
    kept = {"dropout", "pernodedrop-gaussian-dynamic", "pernodedrop-gaussian-fixed"}
    assert cells(smaller) == {cell for cell in cells(whole_) if cell[0] in kept and cell[1] in rates}
    assert smaller.trials == len(cells(smaller))


@given(
    rates=st.sampled_from([(0.0,), (0.2, 0.4), (0.1, 0.4, 0.7), tuple(k / 10 for k in range(9))]),
    units=st.sets(st.sampled_from([32, 64, 128]), min_size=1),
    regularizers=st.sets(st.sampled_from(["dropout", "dropconnect", "masksembles", "pernodedrop"]), min_size=1),
    mask=st.sampled_from(["", "-bernoulli", "-gaussian"]),
)
def test_any_part_of_table_1(rates: tuple[float, ...], units: set[int], regularizers: set[str], mask: str) -> None:
    wanted = {name + mask if name == "pernodedrop" else name for name in regularizers}
    table = preset(PAPER[0])
    expected = {
        (variant, rate, width)
        for variant, rate, width in cells(table)
        if any(f"{variant}-".startswith(f"{name}-") for name in wanted) and rate in rates and width in units
    }
    assert cells(scaled(table, Scale(rates=rates, units=units, variants=wanted))) == expected


def test_numbers_are_upper_limits() -> None:
    study = small(task={"name": "digits", "epochs": 8, "train_size": 500, "options": {"val_size": 100}}, repeats=3)
    larger = scaled(study, Scale(epochs=9, train_size=501, val_size=101, repeats=4, trials=11))
    assert larger == study
    smaller = scaled(study, Scale(epochs=7, train_size=499, val_size=99, repeats=2, trials=9))
    assert (smaller.task.epochs, smaller.task.train_size, smaller.repeats, smaller.trials) == (7, 499, 2, 9)
    assert smaller.task.options == {"val_size": 99}


def test_a_study_without_sizes_gets_them() -> None:
    smaller = scaled(small(), Scale(train_size=500, val_size=100))
    assert (smaller.task.train_size, smaller.task.options) == (500, {"val_size": 100})


def test_a_confirmation_gets_fewer_seeds_but_never_a_single_one() -> None:
    study = small(confirmation={"top": 2, "repeats": 5})
    for limit, seeds in ((9, 5), (3, 3), (1, 2)):
        confirmation = scaled(study, Scale(repeats=limit)).confirmation
        assert confirmation is not None
        assert (confirmation.top, confirmation.repeats) == (2, seeds)
    decided = scaled(small(confirmation={"until": "decided"}), Scale(repeats=3)).confirmation
    assert decided is not None
    assert (decided.repeats, decided.most_repeats, decided.until) == (3, 3, "decided")


def test_the_description_says_what_is_left() -> None:
    scale = Scale(epochs=5, train_size=10_000, val_size=2_000, variants=["dropout"], rates=[0.2, 0.4], units=[64])
    smaller = scaled(preset(PAPER[0]), scale)
    assert smaller.name == f"{PAPER[0]}-scaled"
    assert smaller.description == (
        "Scaled down to 5 of 20 epochs; 2 of 237 runs; 10,000 training samples; 2,000 validation samples; the variants "
        "dropout; the rates 0.2, 0.4; the units 64. The grid behind table 1 of arXiv:2512.12663 (CIFAR-10)."
    )


def test_long_names_and_descriptions_stay_valid() -> None:
    study = small(name="n" * 63, description="d" * 2000)
    smaller = scaled(study, Scale(epochs=1))
    assert smaller.name == "n" * 56 + "-scaled"
    assert smaller.description.startswith("Scaled down to 1 of 8 epochs. ddd")
    assert scaled(smaller, Scale(trials=1)).name == smaller.name


def test_a_grid_is_not_visited_again_because_it_has_become_smaller() -> None:
    study = small(search_space={"drop_rate": real(0.0, 0.9, step=0.1)}, sampler={"name": "grid"}, budget={"trials": 10})
    assert scaled(study, Scale(rates=[0.0, 0.3])).trials == 2
    assert scaled(study, Scale(trials=3)).trials == 3


def test_dimensions_of_what_is_left_out_go_with_it() -> None:
    study = preset("cifar10-pernodedrop")
    smaller = scaled(study, Scale(variants=["pernodedrop-bernoulli", "pernodedrop-gaussian"]))
    assert "noisy_fraction" not in smaller.search_space
    assert variants_of(smaller.search_space, smaller.fixed).keys() == {
        f"pernodedrop-{stir}-{mask}" for stir in ("bernoulli", "gaussian") for mask in ("dynamic", "fixed")
    }


def test_numbers_of_every_kind_of_dimension() -> None:
    space = {"drop_rate": categorical(0.1, 0.2, 0.5), "units": whole(16, 128, step=16)}
    smaller = scaled(small(search_space=space, sampler={"name": "grid"}), Scale(rates=[0.1, 0.5], units=[32, 64]))
    assert cells(smaller) == {("dropout", rate, units) for rate in (0.1, 0.5) for units in (32, 64)}
    interval = scaled(small(), Scale(rates=[0.25, 0.5])).search_space["drop_rate"]
    assert list(interval.values or ()) == [0.25, 0.5]


def test_a_fixed_value_that_is_asked_for_stays() -> None:
    assert scaled(preset("paper-table2-rcv1"), Scale(units=[128])) == preset("paper-table2-rcv1")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (Scale(rates=[0.25]), "drop_rate is never 0.25 in this study: choose of 0.0, 0.1, 0.2"),
        (Scale(rates=[0.9]), "masksembles_rate has no value of 0.9: choose of 0.0, .* or leave its variant out"),
        (Scale(rates=[0.1, 0.2, 0.5]), "numbers must be equally spaced, got 0.1, 0.2, 0.5"),
        (Scale(units=[63]), "units is never 63 in this study: choose of 32, 64 or 128"),
        (Scale(variants=["gauss"]), "variants must be of .*dropout.*, got 'gauss'"),
        (
            Scale(variants=["pernodedrop-gaussian-fixed", "pernodedrop-bernoulli-dynamic"]),
            "bring pernodedrop-bernoulli-fixed, pernodedrop-gaussian-dynamic with them: name these too",
        ),
    ],
)
def test_what_the_study_does_not_have_is_refused_in_one_line(scale: Scale, message: str) -> None:
    with pytest.raises(InvalidScale, match=message) as refusal:
        scaled(preset(PAPER[0]), scale)
    assert "\n" not in str(refusal.value)


def test_several_numbers_on_a_logarithmic_scale_are_refused() -> None:
    study = small(search_space={"units": whole(16, 128, log=True)})
    with pytest.raises(InvalidScale, match="on a logarithmic scale one number can be kept, got 32, 64"):
        scaled(study, Scale(units=[32, 64]))
    assert list(scaled(study, Scale(units=[32])).search_space["units"].values or ()) == [32]


def test_rules_hold_for_what_is_left() -> None:
    with pytest.raises(InvalidDefinition, match=re.escape("pruner.min_epochs must be below task.epochs (2), else")):
        scaled(preset("cifar10-pernodedrop"), Scale(epochs=2))


@pytest.mark.parametrize("name", ["small", "medium"])
@pytest.mark.parametrize("of", preset_names())
def test_a_named_scale_suits_every_preset(of: str, name: str) -> None:
    whole_ = preset(of)
    smaller = scaled(whole_, named_scale(name, whole_))
    assert smaller.trials <= min(100, whole_.trials)
    assert smaller.task.epochs <= 10
    variants, kept = (variants_of(d.search_space, d.fixed).keys() for d in (whole_, smaller))
    assert kept == variants
    if of in PAPER:
        assert cells(smaller) < cells(whole_)
        assert {rate for _, rate, _ in cells(smaller)} >= {0.0, 0.6}


def test_a_named_scale_leaves_rates_alone_that_cannot_all_be_kept() -> None:
    space = {
        "regularizer": categorical("dropout", "dropconnect"),
        "drop_rate": real(0.0, 0.9, step=0.1, when={"regularizer": "dropout"}),
        "weight_rate": real(0.5, 0.5, parameter="drop_rate", when={"regularizer": "dropconnect"}),
    }
    study = small(search_space=space, sampler={"name": "grid"}, budget={})
    smaller = scaled(study, named_scale("small", study))
    assert smaller.trials == study.trials


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidScale, match="must be small, medium, full or key=value, got 'tiny'"):
        named_scale("tiny", small())


def test_a_study_of_a_million_variants_is_scaled_but_not_by_variants() -> None:
    space = {"regularizer": categorical("dropout", "pernodedrop"), "mask_groups": whole(1, 1_048_576)}
    whole_study = parse_definition(raw(search_space=space))
    assert scaled(whole_study, Scale(epochs=2)).task.epochs == 2
    with pytest.raises(InvalidScale, match=r"^mask_groups, regularizer must have at most 20,000 combinations"):
        scaled(whole_study, Scale(variants=["dropout"]))


def test_a_race_with_too_few_trials_for_its_variants_says_that_it_is_free() -> None:
    space = {"regularizer": categorical("none", "dropout", "dropconnect")}
    smaller = scaled(parse_definition(raw(search_space=space, search="race")), Scale(trials=2))
    assert smaller.description == "Scaled down to 2 of 10 runs; a free search."
