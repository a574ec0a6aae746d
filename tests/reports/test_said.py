"""What the answers say of ties, of configurations without a figure, of own loops and of several objectives."""

import math
from dataclasses import replace

import pytest

from service.reports import html_report
from service.reports.exports.confirmed_rows import rows_of
from service.reports.exports.markdown import markdown_of
from service.reports.exports.methods import methods_of
from service.reports.exports.text_table import text_table
from service.reports.found.confirmed import confirmation_of
from service.reports.found.results import Results
from service.reports.words.recommended import recommendation
from service.reports.words.winner import verdict_of
from service.storage.records import CurvePoint
from service.storage.states import RunState
from tests.reports.deciding import decided
from tests.reports.reading import Page
from tests.reports.samples import params_of, study_of, trial_of
from tests.reports.test_confirmation import CLEAR, results_of

SAME = [0.2, 0.3, 0.1, 0.2, 0.3]


def said_of(results: Results) -> list[str]:
    confirmation = confirmation_of(results)
    assert confirmation is not None
    return [*verdict_of(results, confirmation), recommendation(confirmation, confirmation.winner)]


@pytest.mark.parametrize("looked", [False, True])
def test_nobody_is_ahead_of_its_equals(looked: bool) -> None:
    behind = [value + 0.01 * place for place, value in enumerate(SAME)]
    found = {"dropout": SAME, "gaussian_dropout": SAME, "dropconnect": behind}
    results = decided(found, [5], most_repeats=5) if looked else results_of(found)
    said = said_of(results)
    assert "dropout and gaussian_dropout have the same mean" in said[0]
    assert not any("leads" in one or "lead over gaussian_dropout" in one for one in said)
    assert said[-1] == "dropout, whose mean is the best; that of gaussian_dropout is the same."


def test_means_that_differ_by_rounding_are_the_same() -> None:
    figures = [0.29, 0.74, 0.57, 0.18, 0.45, 0.48, 0.23], [0.48, 0.45, 0.29, 0.23, 0.74, 0.57, 0.18]
    worse = [value + 0.02 for value in figures[0]]
    said = said_of(
        results_of(dict(zip(("dropout", "gaussian_dropout", "dropconnect"), (*figures, worse), strict=True)))
    )
    assert any("have the same mean" in one for one in said)
    assert not any("e-1" in one or "Its" in one or "It is" in one for one in said)
    assert any("to dropconnect" in one for one in said)


def test_the_nearest_is_called_by_its_settings_where_its_variant_is_there_twice() -> None:
    results = results_of({"dropout": SAME, "dropconnect": SAME})
    rates = zip(results.confirmations, (0.0, 0.4), strict=True)
    runs = [replace(run, variant="dropout", params=params_of("dropout", drop_rate=rate)) for run, rate in rates]
    said = said_of(Results(results.study, results.trials, results.curves, runs))
    assert any("dropout (drop_rate 0.4) has the same mean as the first" in one for one in said)


def test_every_answer_names_the_configuration_that_has_no_figure() -> None:
    results = results_of({**CLEAR, "gaussian_dropout": [0.05, 0.05, math.nan, 0.05, 0.05]})
    lacking = "Without a result: gaussian_dropout (test_loss not finite under some seed)."
    assert lacking in said_of(results)
    assert lacking in markdown_of(text_table(results)).decode()
    assert lacking in text_table(results, whole=False).notes
    assert lacking in methods_of(results).decode()
    assert lacking in Page(html_report(results)).text


def test_of_a_loop_of_ones_own_nothing_is_said_that_only_a_task_knows() -> None:
    variants = enumerate(("dropout", "dropconnect", "dropout"))
    trials = [trial_of(place, [0.2 + place / 10], params=params_of(each, drop_rate=0.0)) for place, each in variants]
    points = [(epoch, split) for epoch in (1, 2) for split in ("train", "val")]
    curves = {
        trial.run_id: [CurvePoint(epoch, 0, split, "loss", 0.5 + place / epoch) for epoch, split in points]
        for place, trial in enumerate(trials)
    }
    known = ("without noise", "same function", "What the variants are", "Each input is multiplied")
    ours = Page(html_report(Results(study_of(trials), trials, curves))).text
    assert all(one in ours for one in known)
    study = study_of(trials, task={"name": "external", "epochs": 2})
    results = Results(study, trials, curves)
    loops = Page(html_report(results)).text
    assert not any(one in loops for one in known)
    assert "as the loop reported them" in loops
    assert "Srivastava" not in methods_of(results).decode()


def test_of_several_objectives_a_variants_best_trial_has_not_all_best_values() -> None:
    several = [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]
    trials = [trial_of(0, [0.1, 0.5]), trial_of(1, [0.2, 0.9])]
    page = Page(html_report(Results(study_of(trials, objectives=several), trials, {}))).text
    assert "val_accuracy of its best trial" in page
    assert "Best val_accuracy" not in page


def test_the_methods_of_an_extended_confirmation_drop_nobody() -> None:
    results = decided(CLEAR, [3], until="fixed", repeats=5)
    results = replace(results, study=replace(results.study, looks=((3, "fixed"),)))
    said = methods_of(results).decode()
    assert "the figures were looked at after 3 and 5 seeds" in said
    assert "dropped" not in said
    assert text_table(results).notes[1].startswith("Seeds were added to the first ones. A difference to the best ")


@pytest.mark.parametrize("closing", ["epochs: 60 of 60 are trained, and the rest pays for no leg", "wall time used up"])
def test_what_is_said_of_a_search_whose_epochs_are_budgeted_is_of_epochs(closing: str) -> None:
    trials = [trial_of(0, [0.1]), trial_of(1, [], state=RunState.PRUNED, epoch=1)]
    asked = {"budget": {"epochs": 60}, "pruner": {"name": "asha"}}
    study = replace(study_of(trials, **asked), booked_epochs=60, closing=closing)
    results = Results(study, trials, {})
    assert "60 / 60 epochs taken of the budget" in Page(html_report(results)).text
    said = methods_of(results).decode()
    assert "in at most 60 trials and 60 epochs of all of them together (1 complete and 1 pruned)" in said
    when = "with its budget" if closing.startswith("epochs") else "before its budget"
    assert f"The search ended {when}: {closing}." in said
    assert "Trials paused after 1 and 3 epochs, where the best of each 3 went on" in said
    assert "epochs taken" not in Page(html_report(Results(study_of(trials), trials, {}))).text


def test_a_chart_says_how_many_trials_have_no_finite_value() -> None:
    trials = [trial_of(place, [0.1], params=params_of("dropout", drop_rate=place / 10)) for place in range(3)]
    odd = (1.0, math.nan, 1.0)
    curves = {
        trial.run_id: [CurvePoint(1, 0, "val", "odd", value), CurvePoint(1, 0, "val", "loss", 0.1)]
        for trial, value in zip(trials, odd, strict=True)
    }
    page = Page(html_report(Results(study_of(trials), trials, curves))).text
    assert "1 trial without a finite value is left out." in page


def test_one_failed_trial_is_one() -> None:
    trials = [trial_of(0, [0.1]), trial_of(1, [], state=RunState.FAILED)]
    assert "1 failed trial is listed at the end." in Page(html_report(Results(study_of(trials), trials, {}))).text


def test_a_pair_alone_is_not_certain_where_coarse_figures_agree() -> None:
    rows = rows_of(results_of({"dropout": [0.25, 0.5], "dropconnect": [0.5, 0.75]}))
    assert rows is not None
    [pair] = [row.alone for row in rows.rows if row.alone is not None]
    assert pair.mean == pytest.approx(0.25)
    assert pair.low < 0 < pair.high
