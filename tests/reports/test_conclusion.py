"""What the report dares to say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.reports.found.comparison import compare, values_by_repeat
from service.reports.found.results import Results
from service.reports.sections.control import control, zero_rate
from service.reports.words.conclusion import conclusion
from service.storage.records import CurvePoint, TrialRecord
from service.storage.states import RunState
from tests.reports.samples import curve_of, params_of, study_of, trial_of

MAXIMIZE = [{"metric": "val_accuracy", "direction": "maximize"}]


def results_of(values: Mapping[str, Sequence[Sequence[float]]], repeats: int, **changes: Any) -> Results:
    """For every variant its configurations, each with the final losses of its repeats."""
    trials: list[TrialRecord] = []
    curves: dict[int, list[CurvePoint]] = {}
    for variant, configurations in values.items():
        for finals in configurations:
            params = params_of(variant, drop_rate=0.1, units=8 * (len(trials) + 1))
            trial = trial_of(len(trials), [float(np.mean(finals))], params=params)
            trials.append(trial)
            curves[trial.run_id] = [p for r, final in enumerate(finals) for p in curve_of(final, 4, repeat=r)]
    return Results(study_of(trials, repeats=repeats, **changes), trials, curves)


def said(results: Results) -> str:
    return " ".join(conclusion(results, compare(results)))


def noisy(mean: float, count: int, seed: int) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, 0.01, size=count)]


def test_nothing_is_said_of_nothing() -> None:
    assert conclusion(Results(study_of(), [], {}), None) == []


def test_one_variant_is_no_comparison() -> None:
    assert "dropout is the only variant" in said(results_of({"dropout": [[0.3]]}, 1))


@pytest.mark.parametrize(("repeats", "words"), [(1, "1 seed,"), (4, "4 seeds,")])
def test_few_seeds_conclude_nothing(repeats: int, words: str) -> None:
    text = said(results_of({"dropout": [[0.1] * repeats], "dropconnect": [[0.9] * repeats]}, repeats))
    assert text.startswith("It cannot be concluded")
    assert words in text
    assert "`pernodedrop confirm digits-noise --repeats 10`" in text


def test_two_variants_need_more_than_five_seeds() -> None:
    values = {"dropout": [noisy(0.1, 5, 0)], "dropconnect": [noisy(0.9, 5, 1)]}
    text = said(results_of(values, 5))
    assert "5 seeds cannot decide between 2 variants" in text


def test_unequal_choice_by_the_judging_seeds_concludes_nothing() -> None:
    values = {
        "dropout": [noisy(0.1, 5, 0)],
        "dropconnect": [noisy(0.5, 5, 1), noisy(0.6, 5, 2)],
        "gaussian_dropout": [noisy(0.9, 5, 3)],
    }
    text = said(results_of(values, 5))
    assert text.startswith("It cannot be concluded")
    assert "(1 to 2)" in text


def test_a_clear_difference_is_named_and_bounded() -> None:
    values = {
        "dropout": [noisy(0.3, 10, 0), noisy(0.5, 10, 5)],
        "dropconnect": [noisy(0.6, 10, 1)],
        "gaussian_dropout": [noisy(0.3, 10, 2)],
        "masksembles": [noisy(0.9, 10, 3)],
    }
    results = results_of(values, 10)
    text = said(results)
    better = text.split(" is better than ")[0]
    assert better in {"dropout", "gaussian_dropout"}
    assert "masksembles (Friedman over 5 shared seeds" in text
    assert "The first 5 seeds chose each variant's configuration, the other 5 judged it." in text
    assert "no test set was used" in text
    comparison = compare(results)
    assert comparison is not None
    assert comparison.chosen[comparison.variants.index("dropout")].number == 0


def test_no_difference_is_not_called_equality() -> None:
    values = {v: [noisy(0.3, 6, seed)] for seed, v in enumerate(["dropout", "dropconnect", "gaussian_dropout"])}
    text = said(results_of(values, 6))
    assert text.startswith("No variant is shown to be better")
    assert "That does not show that they are equal" in text
    assert "Each variant had one configuration." in text


def test_maximizing_prefers_the_higher() -> None:
    values = {"dropout": [noisy(0.9, 8, 0)], "dropconnect": [noisy(0.3, 8, 1)], "gaussian_dropout": [noisy(0.6, 8, 2)]}
    results = results_of(values, 8, objectives=MAXIMIZE)  # accuracy falls as the loss rises
    assert said(results).startswith("dropconnect is better than dropout")


def test_a_trials_value_is_the_mean_of_its_repeats_values() -> None:
    results = results_of({"dropout": [[0.2, 0.4]]}, 2)
    assert values_by_repeat(results, results.trials[0]) == pytest.approx([0.2, 0.4])


def test_trials_without_every_repeat_are_left_out() -> None:
    results = results_of({"dropout": [[0.2] * 3], "dropconnect": [[0.2] * 2]}, 3)
    assert compare(results) is None


def test_the_control_takes_trainings_at_rate_0_and_without_noise() -> None:
    at_zero = [params_of("dropout", drop_rate=0.0, units=8), {"regularizer": "none", "units": 8}]
    trials = [trial_of(number, [0.3], params=params) for number, params in enumerate(at_zero)]
    trials.append(trial_of(2, [0.9], params=params_of("dropout", drop_rate=0.2, units=8)))
    trials.append(trial_of(3, [0.9], params=at_zero[0], state=RunState.FAILED))
    curves = {100: curve_of(0.3, 2), 101: curve_of(0.34, 2), 102: curve_of(0.9, 2), 103: curve_of(0.9, 2)}
    noise = zero_rate(Results(study_of(trials), trials, curves))
    assert noise is not None
    assert (noise.trainings, noise.variants) == (2, ("dropout", "none"))
    assert noise.widest == pytest.approx(0.04)


def test_a_variant_that_does_best_without_noise_is_pointed_out() -> None:
    results = results_of({v: [noisy(0.3, 6, s)] for s, v in enumerate(["dropout", "dropconnect", "none"])}, 6)
    calm = [replace(trial, params={**trial.params, "drop_rate": 0.0}) for trial in results.trials[:1]]
    text = said(replace(results, trials=[*calm, *results.trials[1:]]))
    assert "Best at rate 0, which is no noise at all: dropout." in text


@pytest.mark.parametrize(("final", "words"), [(0.3, "agrees to the last digit"), (0.34, "differed by up to 0.04")])
def test_the_control_tells_equality_from_noise(final: float, words: str) -> None:
    at_zero = [params_of(variant, drop_rate=0.0, units=8) for variant in ("dropout", "dropconnect")]
    trials = [trial_of(number, [0.3], params=params) for number, params in enumerate(at_zero)]
    told = control(Results(study_of(trials), trials, {100: curve_of(0.3, 2), 101: curve_of(final, 2)}))
    assert told is not None
    assert words in told
