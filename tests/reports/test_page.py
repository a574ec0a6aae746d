"""The report as a whole, for studies of every kind."""

import base64
import hashlib
import html
import json
import math
import re
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from search_spaces import parse_definition
from service.reports import Results, html_report
from service.reports.sections import charts_of
from service.storage.records import CurvePoint, TrialRecord
from service.storage.states import RunState, StudyState
from tests.reports.reading import Page
from tests.reports.samples import curve_of, params_of, searched, study_of, trial_of
from tests.reports.test_markup import EVIL
from tests.search_spaces.studies import categorical, real

STRANGE = (("train", "loss"), ("train", "accuracy"), ("val", "accuracy"), ("val", "rank"))
SECONDS = {"metric": "train_seconds"}
TWO = [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]


def failed(number: int, reason: str, **changes: Any) -> TrialRecord:
    return trial_of(number, None, state=RunState.FAILED, reason=reason, **changes)


def multi_objective() -> Results:
    random_pairs = [[0.30, 0.90], [0.28, 0.80], [0.29, 0.70], [0.4, 0.95]]
    trials = [trial_of(number, pair) for number, pair in enumerate(random_pairs)]
    return Results(study_of(trials, objectives=TWO), trials, {t.run_id: curve_of(0.3, 8) for t in trials})


def three_objectives() -> Results:
    study, trials, curves = searched(40)
    found = [trial if trial.values is None else replace(trial, values=[*trial.values, 0.9, 3.0]) for trial in trials]
    return Results(replace(study, definition=study_of(found, objectives=[*TWO, SECONDS]).definition), found, curves)


def of(trials: list[TrialRecord], curves: bool = True, **changes: Any) -> Results:
    return Results(study_of(trials, **changes), trials, {t.run_id: curve_of(0.3, t.epoch) for t in trials if curves})


STUDIES: dict[str, Results] = {
    "empty": Results(study_of(state=StudyState.RUNNING), [], {}),
    "one trial": of([trial_of(0, [0.3])]),
    "one trial of one epoch": of([trial_of(0, [0.3], epoch=1, best_epoch=1)]),
    "two trials": of([trial_of(0, [0.3]), trial_of(1, [0.2], params=params_of("dropconnect", drop_rate=0.1))]),
    "without curves": of([trial_of(0, [0.3]), trial_of(1, [0.2])], curves=False),
    "only failed": of([failed(0, "out of memory"), failed(1, "out of memory", params={}, variant="")], curves=False),
    "only running": of([trial_of(0, None, state=RunState.RUNNING, best_epoch=None, epoch=2, finished_at=None)]),
    "all alike": of([trial_of(number, [0.3]) for number in range(20)]),
    "no rate": of([trial_of(0, [0.3], params={"regularizer": "none"}), trial_of(1, [0.2], params={"units": 3})]),
    "two objectives": multi_objective(),
    "three objectives": three_objectives(),
    "searched": Results(*searched(40)),
    "repeated": Results(*searched(90, repeats=10)),
    "as in the paper": Results(study_of(searched(40)[1], task={"name": "cifar10", "epochs": 8}), *searched(40)[1:]),
    "maximized": of([trial_of(n, [n / 30]) for n in range(12)], objectives=[TWO[1]]),
}


def test_figures_that_are_not_finite_leave_the_others() -> None:
    """A loop's own losses, and a task's own figures, may have no value of some model."""
    trials = [
        trial_of(number, [0.3], params=params_of(("dropout", "dropconnect")[number % 2], drop_rate=number / 10))
        for number in range(8)
    ]
    curves = {trial.run_id: curve_of(0.3, 8) for trial in trials}
    for trial, value in zip(trials, (math.nan, 0.5, math.inf, -math.inf, 0.25, math.nan, 0.1, 0.2), strict=True):
        curves[trial.run_id] = [
            replace(point, value=value if (point.split, point.metric) in STRANGE else point.value)
            for point in (*curves[trial.run_id], *(CurvePoint(epoch, 0, "val", "rank", 0.0) for epoch in range(1, 9)))
        ]
    results = Results(study_of(trials), trials, curves)
    drawn = {chart.name: chart.figure["data"] for chart in charts_of(results).values()}
    marks = [y for trace in drawn["own_metric_1"] if trace["mode"] == "markers" for y in trace["y"]]
    assert sorted(marks) == [0.1, 0.2, 0.25, 0.5]
    assert "The task" in Page(html_report(results)).text


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_page_that_needs_nothing_else(name: str) -> None:
    page = Page(html_report(STUDIES[name]))  # reading it fails where elements are not closed
    assert len(page.programs) == 3, "plotly.js once, what all charts have, and the page's own program"
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "base"}
        assert not {"src", "href", "srcset", "onclick", "onload"} & set(attributes)
    assert STUDIES[name].study.name in page.text
    assert not re.search(r"\b(nan|None|inf)\b", page.text)
    assert "`" not in page.text, "a command is shown as code"


@pytest.mark.parametrize("name", STUDIES)
def test_plotly_accepts_every_figure(name: str) -> None:
    for figure in Page(html_report(STUDIES[name])).figures:
        go.Figure(figure)  # raises for an unknown property or value


@pytest.mark.parametrize("name", STUDIES)
def test_every_chart_of_the_page_can_be_kept_as_a_file(name: str) -> None:
    kept = [chart.figure for chart in charts_of(STUDIES[name]).values()]
    assert Page(html_report(STUDIES[name])).figures == json.loads(json.dumps(kept))


def test_the_policy_allows_its_programs_and_nothing_else() -> None:
    page = Page(html_report(STUDIES["one trial"]))
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    hashes = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in page.programs]
    assert policy is not None
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert f"script-src {allowed};" in policy
    assert policy.startswith("default-src 'none';")


def test_no_text_of_a_study_becomes_markup() -> None:
    clean = html_report(of([trial_of(0, [0.3]), failed(1, "x")], description="x"))
    params = {"regularizer": EVIL, "drop_rate": 0.2, EVIL: EVIL}
    trials = [
        trial_of(0, [0.3], params=params, worker=EVIL, facts={"backend": EVIL, "device": EVIL, "parameters": 3}),
        failed(1, EVIL, params=params),
    ]
    curves = {t.run_id: [CurvePoint(1, 0, "val", "loss", 0.3), CurvePoint(1, 0, EVIL, EVIL, 0.1)] for t in trials}
    soiled = html_report(Results(study_of(trials, description=EVIL), trials, curves))
    assert soiled.count("<script") < clean.count("<script") + 1 + soiled.count('<script type="application/json"')
    page = Page(soiled)
    assert len(page.programs) == 3
    assert EVIL.replace("\u2028", "") in page.text.replace("\u2028", "")
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in page.elements)
    drawn = [trace.get("name", "") for figure in page.figures for trace in figure["data"]]
    assert not any("<" in name for name in drawn), "plotly reads markup in names"


def test_the_page_says_what_was_found() -> None:
    study, trials, curves = searched(40)
    text = Page(html_report(Results(study, trials, curves))).text
    best = min((t for t in trials if t.state is RunState.COMPLETE), key=lambda t: t.values or [9.0])
    assert f"{(best.values or [0])[0]:.4f}" in text
    assert "40 / 40" in text
    assert "Which noise serves a small network best?" in text
    assert "training loss became infinite in epoch 1" in text
    assert "It cannot be concluded which variant is better." in text
    assert "mask: every mask entry is drawn" in text


def test_the_front_is_a_table_of_every_objective() -> None:
    triples = [[0.25, 0.91, 9.125], [0.375, 0.75, 1.0625], [0.5, 0.875, 9.5]]
    trials = [trial_of(number, triple) for number, triple in enumerate(triples)]
    text = Page(html_report(of(trials, objectives=[*TWO, SECONDS]))).text
    assert "2 trials are on the front." in text
    assert "0.2500 0.9100 9.125 0 " in text
    assert "0.3750 0.7500 1.062 1 " in text


def test_an_empty_study_says_so() -> None:
    text = Page(html_report(STUDIES["empty"])).text
    assert "No trial has chosen its configuration yet." in text
    assert "0 / 1" in text


def test_failures_are_told_once_each() -> None:
    trials = [failed(number, "out of memory") for number in range(20)] + [failed(20, "")]
    text = Page(html_report(of(trials, curves=False))).text
    assert text.count("out of memory") == 1
    assert "0, 1, 2, 3, 4, 5, 6, 7, ..." in text
    assert "no reason was recorded" in text


def test_the_warning_stands_beside_the_papers_protocol() -> None:
    text = Page(html_report(STUDIES["as in the paper"])).text
    assert "This protocol proves nothing" in text
    assert "Kendall's W" in text
    assert "The best record of each variant beside the paper's" in text


@pytest.mark.parametrize("search", ["race", "free"])
def test_the_definition_on_the_page_can_be_submitted_and_gives_the_same_study(search: str) -> None:
    parts = {
        "search_space": {"regularizer": categorical("dropout", "none"), "drop_rate": real(0.1, 0.5)},
        "search": search,
        "budget": {"trials": 8},
        "seed": 0,
        "sampler": {"name": "tpe", "lag": 4, "seed": 3},
        "pruner": {"name": "median"},
    }
    study = study_of([], **parts)
    page = html_report(Results(study, [], {}))
    written = re.search(r"<pre><code>(.*?)</code>", page, re.DOTALL)
    assert written is not None
    assert parse_definition(json.loads(html.unescape(written.group(1)))) == study.definition
    text = re.sub(r"\s+", " ", Page(page).text)
    assert ("Trials dealt by race" in text) == (search == "race")
    assert "tpe, seed 3, lag 4" in text


@pytest.mark.parametrize(("budget", "trials"), [({"epochs": 60}, None), ({"epochs": 60, "trials": 20}, 20)])
def test_the_definition_on_the_page_has_the_trials_that_were_asked_for(budget: dict[str, int], trials: int) -> None:
    """Those that its epochs imply would hold a copy with more epochs back."""
    study = study_of([], budget=budget, pruner={"name": "asha"})
    written = re.search(r"<pre><code>(.*?)</code>", html_report(Results(study, [], {})), re.DOTALL)
    assert written is not None
    said = json.loads(html.unescape(written.group(1)))
    assert said["budget"].get("trials") == trials
    assert parse_definition(said) == study.definition


@pytest.mark.parametrize(("repeats", "shown"), [(1, "best epoch 7 of 8"), (3, "best epoch 7 of 8 of the first seed")])
def test_the_best_epoch_is_one_of_a_training(repeats: int, shown: str) -> None:
    """A run's epochs are those of all its seeds."""
    trial = trial_of(0, [0.3], best_epoch=7, epoch=8 * repeats)
    assert shown in Page(html_report(Results(study_of([trial], repeats=repeats), [trial], {}))).text
