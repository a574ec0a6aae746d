"""The section "What the noise knows": its figures, its pictures and what it does not say."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest

from service.reports import Results, html_report
from service.reports.drawing import draw
from service.reports.exports import TABLES, csv_of, parquet_of
from service.reports.found.knowledge import Knowledge
from service.reports.sections import charts_of
from service.reports.sections.knowledge import knowledge
from service.reports.words.knowledge import findings_of, limits_of
from service.statistics import detection, ensemble_of, over_seeds_and_inputs, reliability
from tests.reports.knowing import INPUTS, SKILL, known
from tests.reports.reading import Page
from tests.reports.test_confirmation import CLEAR, results_of

RESULTS = known()
CHARTS = ("reliability", "risk_coverage", "shift_noise")


def found(results: Results) -> Knowledge:
    knows = results.knowledge
    assert knows is not None
    return knows


def said(results: Results) -> str:
    return " ".join(limits_of(found(results)))


def test_a_study_without_examinations_has_no_section() -> None:
    results = results_of(CLEAR)
    assert results.knowledge is None
    assert knowledge(results) is None
    assert not set(CHARTS) & charts_of(results).keys()
    assert "What the noise knows" not in html_report(results)


def test_a_configuration_counts_when_every_seed_was_examined() -> None:
    first = RESULTS.confirmations[0].run_id
    lacking = [one for one in RESULTS.examinations if (one.run_id, one.repeat, one.inputs) != (first, 2, "test")]
    knows = found(replace(RESULTS, examinations=lacking))
    assert [one.trial.variant for one in knows.found] == [
        "pernodedrop-bernoulli-dynamic", "dropconnect", "pernodedrop-bernoulli-fixed"
    ]  # fmt: skip
    assert knows.control is knows.found[0], "neither none nor dropout is there"
    assert replace(RESULTS, examinations=lacking[:2]).knowledge is None


def test_figures_are_means_over_seeds_and_the_least_loss_comes_first() -> None:
    knows = found(RESULTS)
    losses = [one.mean("test", "loss") for one in knows.found]
    assert losses == sorted(losses)  # type: ignore[type-var]
    assert knows.control.trial.variant == "none"
    own = [
        e.figures["ece"] for e in RESULTS.examinations if e.run_id == knows.control.trial.run_id and e.inputs == "test"
    ]
    assert knows.control.mean("test", "ece") == pytest.approx(np.mean(own))
    assert knows.control.mean("held_out", "loss") is None, "its inputs have no label"
    assert [each.name for each in knows.sets] == ["test", "held_out", "noise_1", "noise_3"]
    assert {family: [each.level for each in levels] for family, levels in knows.shifts.items()} == {"noise": [1, 3]}


def test_detection_is_paired_by_inputs_and_seeds() -> None:
    knows = found(RESULTS)
    one = next(one for one in knows.found if one.trial.variant == "dropconnect")
    inside, outside = one.scores("test", "confidence"), one.scores("held_out", "confidence")
    assert inside is not None and outside is not None
    drawn = knows.detected(one, "held_out", "confidence")
    assert drawn is not None
    assert drawn.auroc[0].tolist() == [detection(-i, -o).auroc[0] for i, o in zip(inside, outside, strict=True)]
    control = knows.detected(knows.control, "held_out", "confidence")
    estimates = knows.estimates(one, "held_out", "confidence")
    assert control is not None and estimates is not None
    assert estimates["auroc"][1] == over_seeds_and_inputs(drawn.auroc - control.auroc)
    alone = over_seeds_and_inputs(drawn.auroc)
    assert estimates["auroc"][1].high - estimates["auroc"][1].low < 2 * (alone.high - alone.low)  # type: ignore[union-attr]


def test_without_noise_the_epistemic_part_knows_nothing() -> None:
    knows = found(RESULTS)
    estimates = knows.estimates(knows.control, "held_out", "epistemic")
    assert estimates is not None
    assert estimates["auroc"][1] is None
    assert (estimates["auroc"][0].value, estimates["auroc"][0].low, estimates["auroc"][0].high) == (0.5, 0.5, 0.5)
    assert "none and pernodedrop-bernoulli-fixed predict by one pass" in said(RESULTS)


def test_the_reliability_is_that_of_all_seeds_and_the_ensemble_that_of_their_mean() -> None:
    knows = found(RESULTS)
    one = knows.found[0]
    own = [e.scores for e in one.seeds["test"]]
    pooled = reliability(np.concatenate([s["confidence"] for s in own]), np.concatenate([s["correct"] for s in own]))
    bins = knows.reliability(one)
    assert bins is not None and bins.counts.tolist() == pooled.counts.tolist()
    ensembled = knows.ensemble(one)
    assert ensembled is not None
    logs = np.stack([scores["log_probabilities"] for scores in own])
    assert ensembled.ensemble == ensemble_of(logs, own[0]["targets"], "softmax")
    assert np.mean([single.nll for single in ensembled.singles]) > ensembled.ensemble.nll


def test_seeds_with_other_labels_are_no_ensemble() -> None:
    knows = found(RESULTS)
    one = knows.found[0]
    first = one.seeds["test"][0]
    other = replace(first, scores={**first.scores, "targets": 1 - first.scores["targets"]})
    assert knows.ensemble(replace(one, seeds={"test": (other, *one.seeds["test"][1:])})) is None


def test_the_page_says_what_may_be_concluded_and_what_may_not() -> None:
    text = Page(html_report(RESULTS)).text
    for words in (
        "What the noise knows",
        "Nothing was chosen by these figures",
        "one predictive law for every single input",
        f"{INPUTS} of {2 * INPUTS} (test)",
        "Deep ensembles of the seeds",
        "held_out: classes that the model was not trained for",
        "its difference to none, seed by seed on the same inputs",
        "by chance it is 0.500",
    ):
        assert words in text, words
    [finding] = findings_of(found(RESULTS))
    assert "pernodedrop-bernoulli-dynamic does better than none" in finding
    assert "nothing is decided between none and dropconnect" in finding


def test_warnings_are_of_what_is_there() -> None:
    assert "one predictive law" not in said(known(("none", "dropconnect"), 2))
    assert "compare variants of one S only" not in said(RESULTS)
    several = [replace(e, passes=4) if e.run_id == 1101 else e for e in RESULTS.examinations]
    assert "different numbers of passes (4 and 20)" in said(replace(RESULTS, examinations=several))
    validated = [replace(e, inputs="val") if e.inputs == "test" else e for e in RESULTS.examinations]
    assert "which flatters all models alike" in said(replace(RESULTS, examinations=validated))


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_drawn(name: str) -> None:
    chart = charts_of(RESULTS)[name]
    go.Figure(chart.figure)  # raises for an unknown property or value
    ElementTree.fromstring(draw(chart.figure, "svg"))


def test_charts_show_what_was_found() -> None:
    charts = charts_of(RESULTS)
    risk = {trace["name"]: trace["y"] for trace in charts["risk_coverage"].figure["data"] if "name" in trace}
    assert risk.keys() == SKILL.keys()
    for one in found(RESULTS).found:
        assert risk[one.trial.variant][-1] == pytest.approx(1 - (one.mean("test", "accuracy") or 0.0))
    left, right = (
        [t for t in charts["shift_noise"].figure["data"] if t.get("xaxis", "x") == axis] for axis in ("x", "x2")
    )
    assert [trace["x"] for trace in left] == [[0, 1, 3]] * len(SKILL)
    assert [trace["x"] for trace in right] == [[1, 3]] * len(SKILL)
    assert all(trace["y"][1] > trace["y"][0] > 0.5 for trace in right)


def test_sigmoids_and_a_missing_control_are_no_obstacle() -> None:
    results = known(("dropconnect", "pernodedrop-bernoulli-dynamic"), 2, ("test", "held_out"), sigmoid=True)
    knows = found(results)
    bins, ensembled = knows.reliability(knows.found[0]), knows.ensemble(knows.found[0])
    assert bins is not None and bins.counts.sum() == 2 * INPUTS * 8, "every decision is an event"
    assert ensembled is not None and ensembled.ensemble.total > 0
    assert (
        "Energy" not in Page(html_report(results)).text or knows.estimates(knows.found[0], "held_out", "energy") is None
    )
    assert knows.control is knows.found[0]


def test_scores_that_are_not_finite_are_left_out() -> None:
    broken = [
        replace(e, scores={**e.scores, "confidence": e.scores["confidence"] * np.nan}) if e.run_id == 1101 else e
        for e in RESULTS.examinations
    ]
    knows = found(replace(RESULTS, examinations=broken))
    one = next(one for one in knows.found if one.trial.run_id == 1101)
    assert knows.estimates(one, "held_out", "confidence") is None
    assert knows.reliability(one) is knows.risks(one) is None
    assert knows.estimates(one, "held_out", "entropy") is not None


def test_the_export_has_every_seeds_figures_and_every_scores_detection() -> None:
    tables = {name: pq.read_table(io.BytesIO(parquet_of(TABLES[name](RESULTS)))).to_pylist() for name in TABLES}
    examined = tables["examinations"]
    assert len(examined) == len(RESULTS.examinations)
    first = RESULTS.examinations[0]
    assert {name: examined[0][name] for name in ("run", "repeat", "inputs", "kind", "level", "passes")} == {
        "run": first.run_id, "repeat": 0, "inputs": "test", "kind": "test", "level": 0, "passes": 1
    }  # fmt: skip
    assert examined[0]["plug_in"] == pytest.approx(first.figures["plug_in"])
    assert examined[0]["joint_nll"] is None, "one pass has none"
    detected = tables["detection"]
    assert len(detected) == len(SKILL) * 3 * 4, "sets and scores"
    knows, row = found(RESULTS), detected[0]
    one = knows.found[0]
    estimates = knows.estimates(one, row["inputs"], row["score"])
    assert estimates is not None and estimates["fpr"][1] is not None
    assert (row["auroc"], row["fpr_difference_high"]) == (estimates["auroc"][0].value, estimates["fpr"][1].high)
    assert (row["prevalence"], row["control"]) == (0.5, "none")
    assert csv_of(TABLES["detection"](RESULTS)).startswith(
        b"run,trial,stage,variant,drop_rate,inputs,kind,level,score,"
    )
    nothing = results_of(CLEAR)
    assert (
        csv_of(TABLES["detection"](nothing)).count(b"\n") == csv_of(TABLES["examinations"](nothing)).count(b"\n") == 1
    )
