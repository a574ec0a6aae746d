"""What the charts show."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from service.reports.charts.chart import MOST_POINTS, line, thinned, thinning
from service.reports.charts.critical_difference import critical_difference_figure
from service.reports.charts.ends import AXES, LINE, named_ends
from service.reports.charts.record_bars import record_bars_figure
from service.reports.charts.scale import scaled
from service.reports.drawing import draw
from service.reports.found.records import Record
from service.reports.found.responses import responses
from service.reports.found.results import Results
from service.reports.sections.generalization import generalization_figure
from service.reports.sections.history import history_figure
from service.reports.sections.learning_curves import curves_figure
from service.reports.sections.own_metrics import own_charts
from service.reports.sections.pareto import pareto_charts
from service.reports.sections.rate_response import rate_charts
from service.statistics import friedman, mean_interval
from service.storage.records import CurvePoint
from service.storage.states import RunState
from tests.reports.samples import curve_of, params_of, searched, study_of, trial_of
from tests.reports.test_drawing import texts


def test_history_keeps_the_best_so_far() -> None:
    trials = [trial_of(number, [value]) for number, value in enumerate([0.5, 0.6, 0.3, 0.4])]
    so_far, marks = history_figure(Results(study_of(trials), trials, {}))["data"]
    assert (so_far["x"], so_far["y"]) == ([0, 2, 3], [0.5, 0.3, 0.3])  # where it changes, and its end
    assert sorted(marks["x"]) == [0, 1, 2, 3]


def test_history_of_a_maximized_objective_rises() -> None:
    trials = [trial_of(number, [value]) for number, value in enumerate([0.5, 0.6, 0.3])]
    study = study_of(trials, objectives=[{"metric": "val_accuracy", "direction": "maximize"}])
    assert history_figure(Results(study, trials, {}))["data"][0]["y"] == [0.5, 0.6, 0.6]


def test_front_joins_the_trials_that_no_other_betters() -> None:
    pairs = [[0.3, 0.9], [0.28, 0.8], [0.29, 0.7], [0.4, 0.95], [0.5, 0.95]]
    trials = [trial_of(number, pair) for number, pair in enumerate(pairs)]
    study = study_of(trials, objectives=[{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}])
    (chart,) = pareto_charts(Results(study, trials, {}))
    front, dominated, best = chart.figure["data"]
    assert (front["x"], front["y"]) == ([0.28, 0.3, 0.4], [0.8, 0.9, 0.95])
    assert sorted(dominated["x"]) == [0.29, 0.5]
    assert dominated["marker"]["opacity"] < best["marker"]["opacity"]


def test_three_objectives_have_a_panel_for_each_pair() -> None:
    """The second trial is the worst by the first two objectives, and on the front by the third."""
    triples = [[0.2, 0.9, 9.0], [0.6, 0.5, 1.0], [0.3, 0.8, 9.5]]
    metrics = ({"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}, {"metric": "train_seconds"})
    trials = [trial_of(number, triple) for number, triple in enumerate(triples)]
    results = Results(study_of(trials, objectives=metrics), trials, {})
    (chart,) = pareto_charts(results)
    panels = {}
    for trace in chart.figure["data"]:
        if trace["marker"]["opacity"] > 0.5:
            axes = [trace[f"{way}axis"].replace(way, f"{way}axis") for way in "xy"]
            names = tuple(chart.figure["layout"][axis]["title"]["text"].split(",")[0] for axis in axes)
            panels[names] = sorted(zip(trace["x"], trace["y"], strict=True))
    assert panels == {
        ("val_loss", "val_accuracy"): [(0.2, 0.9), (0.6, 0.5)],
        ("val_loss", "train_seconds"): [(0.2, 9.0), (0.6, 1.0)],
        ("val_accuracy", "train_seconds"): [(0.5, 1.0), (0.9, 9.0)],
    }
    assert [trial.number for trial in results.front] == [0, 1]
    assert draw(chart.figure, "svg")


def test_rate_response_joins_means() -> None:
    values = {0.1: [0.4, 0.6], 0.3: [0.3], 0.5: [0.35]}
    settings = [(rate, value) for rate, several in values.items() for value in several]
    trials = [trial_of(n, [v], params=params_of("dropout", drop_rate=r)) for n, (r, v) in enumerate(settings)]
    (chart,) = rate_charts(Results(study_of(trials), trials, {}))
    marks, joined = chart.figure["data"]
    assert sorted(zip(marks["x"], marks["y"], strict=True)) == sorted(settings)
    assert (joined["x"], joined["y"]) == ([0.1, 0.3, 0.5], [0.5, 0.3, 0.35])
    assert "interval" not in chart.caption


def test_rate_response_has_an_interval_over_the_seeds() -> None:
    """Two configurations at a rate, three seeds: their difference is no luck, the seeds' is."""
    finals = {0.1: [[0.2, 0.3, 0.4], [0.6, 0.7, 0.8]], 0.3: [[0.3] * 3], 0.5: [[0.4] * 3]}
    trials, curves = [], {}
    for rate, several in finals.items():
        for values in several:
            params = params_of("dropout", drop_rate=rate, units=len(trials) + 1)
            trials.append(trial_of(len(trials), [sum(values) / 3], params=params))
            curves[trials[-1].run_id] = [p for r, final in enumerate(values) for p in curve_of(final, 3, repeat=r)]
    results = Results(study_of(trials, repeats=3), trials, curves)
    first, second, _ = responses(results, "dropout")
    expected = mean_interval([0.4, 0.5, 0.6])
    assert (first.rate, first.mean, first.trials) == (0.1, pytest.approx(0.5), 2)
    assert first.interval is not None and second.interval is not None
    assert (first.interval.low, first.interval.high) == pytest.approx((expected.low, expected.high))
    steady = mean_interval([0.3] * 3, step=0.1)  # equal by chance, perhaps: others are 0.1 apart
    assert (second.interval.low, second.interval.high) == pytest.approx((steady.low, steady.high))
    _, by_variant = rate_charts(results)
    assert "3 seeds (Student's t)" in by_variant.caption
    area, curve = by_variant.figure["data"]
    assert (curve["x"], curve["y"]) == ([0.1, 0.3, 0.5], pytest.approx([0.5, 0.3, 0.4]))
    assert max(area["y"]) == pytest.approx(expected.high)


def test_what_a_task_alone_measures_has_its_own_charts() -> None:
    rates = [0.1, 0.3, 0.5, 0.5]
    trials = [trial_of(n, [0.3], params=params_of("dropout", drop_rate=rate)) for n, rate in enumerate(rates)]
    curves = {trial.run_id: curve_of(0.3, 2) for trial in trials}
    assert own_charts(Results(study_of(trials), trials, curves)) == []  # the usual figures
    for trial, rank in zip(trials, (5.0, 4.0, 2.0, 3.0), strict=True):
        curves[trial.run_id] += [CurvePoint(epoch, 0, "val", "rank", rank * epoch / 2) for epoch in (1, 2)]
    (chart,) = own_charts(Results(study_of(trials), trials, curves))
    marks, joined = chart.figure["data"]
    assert (chart.name, chart.figure["layout"]["yaxis"]["title"]["text"]) == ("own_metric_1", "val_rank")
    assert sorted(zip(marks["x"], marks["y"], strict=True)) == [(0.1, 5.0), (0.3, 4.0), (0.5, 2.0), (0.5, 3.0)]
    assert (joined["x"], joined["y"]) == ([0.1, 0.3, 0.5], [5.0, 4.0, 2.5])
    study = study_of(trials, task={"name": "linear_factorization"}, objectives=[{"metric": "val_rank"}])
    assert own_charts(Results(study, trials, curves)) == []  # the response to the rate shows it
    assert own_charts(Results(study_of(trials[:1]), trials[:1], curves)) == []


def test_record_bars_keep_a_variants_records_together() -> None:
    best = [Record("dropout", 0.1, 3, 0.9, 0.2, 0.1, 0.95), Record("dropout", 0.1, 3, 0.9, 0.4, 0.1, 0.95)]
    other = Record("none", None, 2, 0.8, 0.3, 0.2, 0.85)
    figure = record_bars_figure([best[0], other, best[1]])
    training, validation, *_ = figure["data"]
    assert validation["x"] == [0.3, 0.4, 0.2], "from the bottom"
    assert training["x"] == [0.2, 0.1, 0.1]
    assert figure["layout"]["yaxis"]["ticktext"] == ["none, epoch 2", *["dropout, rate 0.1, epoch 3"] * 2]
    without_accuracy = record_bars_figure([replace(record, val_accuracy=None) for record in best])
    assert [trace["x"] for trace in without_accuracy["data"] if trace["type"] == "bar"] == [[0.1, 0.1], [0.4, 0.2]]


def test_record_bars_say_which_are_validation_and_which_training() -> None:
    figure = record_bars_figure([Record("dropout", 0.1, 3, 0.9, 0.2, 0.1, 0.95)])
    keys = {trace["name"]: trace["marker"]["opacity"] for trace in figure["data"] if trace["type"] == "scatter"}
    bars = {trace["legendgroup"]: trace["opacity"] for trace in figure["data"] if trace["type"] == "bar"}
    assert keys == bars
    assert keys["validation"] > keys["training"]
    assert set(keys) <= set(texts(draw(figure, "svg")))


def test_learning_curves_are_of_each_variants_best_trial_and_average_its_seeds() -> None:
    trials = [trial_of(0, [0.3]), trial_of(1, [0.2])]
    curves = {100: curve_of(0.3, 8), 101: curve_of(0.1, 8) + curve_of(0.3, 8, repeat=1)}
    traces = curves_figure(Results(study_of(trials, repeats=2), trials, curves))["data"]
    validation, training = (trace for trace in traces if "fill" not in trace)
    seeds = [trace for trace in traces if "fill" in trace]
    assert [max(band["y"][:8]) >= max(band["y"][8:]) for band in seeds] == [True, True]
    assert seeds[0]["y"][7:9] == [pytest.approx(0.3), pytest.approx(0.1)], "from the greatest to the least at the end"
    assert validation["y"][-1] == pytest.approx(0.2)
    assert training["y"][-1] == pytest.approx(0.1)
    assert (validation.get("showlegend", True), training["showlegend"]) == (True, False)


def lines_of(ends: list[float], names: list[str]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, line(name, [1, 2], [1.0, end])) for name, end in zip(names, ends, strict=True)]


def test_names_stand_at_the_ends_of_lines_apart_and_in_their_order() -> None:
    names = ["dropout", "dropconnect", "none", "masksembles"]
    ends = [0.2, 0.2001, 0.1999, 0.9]
    named = named_ends(lines_of(ends, names))
    heights = {trace["text"][0].strip(): trace["y"][0] for trace in named}
    assert sorted(heights, key=lambda name: heights[name]) == ["none", "dropout", "dropconnect", "masksembles"]
    least = LINE * 0.8001 / AXES
    in_order = sorted(heights.values())
    assert all(upper - lower > 0.99 * least for lower, upper in pairwise(in_order))
    assert heights["masksembles"] == pytest.approx(0.9), "what nothing touches stays where it ends"
    assert all(trace["x"][0] > 2 for trace in named)


def test_a_legend_stays_where_lines_end_apart_or_are_too_many() -> None:
    assert named_ends(lines_of([0.5], ["dropout"])) == []
    assert named_ends([*lines_of([0.5], ["none"]), ("dropout", line("dropout", [1, 2, 3], [1, 1, 1]))]) == []
    many = [f"kind-{number}" for number in range(11)]
    assert named_ends(lines_of([0.5] * 11, many)) == []
    level = [(variant, line(variant, [1, 2], [0.25, 0.25])) for variant in ("none", "dropout")]
    assert named_ends(level) == [], "names apart would seem to be other values"


def test_losses_of_several_magnitudes_have_a_logarithmic_axis() -> None:
    assert scaled("loss", [0.01, 1.0]) == ("loss (log scale)", {"type": "log", "dtick": "D2"})
    for values in ([0.1, 1.0], [0.0, 1.0], [-1.0, 100.0], [], [math.nan]):
        assert scaled("loss", values) == ("loss", {})
    assert scaled("loss", [0.001, 1.0], [0.02, 0.04])[1] == {"type": "log", "nticks": 6}, (
        "a tick may be anywhere within a decade"
    )
    trials = [trial_of(n, [10.0**n]) for n in range(4)]
    drawn = history_figure(Results(study_of(trials), trials, {}))
    assert drawn["layout"]["yaxis"]["type"] == "log"
    assert "val_loss (log scale)" in texts(draw(drawn, "svg"))


def test_generalization_takes_the_epoch_of_least_validation_loss() -> None:
    trials = [trial_of(0, [0.3])]
    _, marks = generalization_figure(Results(study_of(trials), trials, {100: curve_of(0.3, 8, gap=0.1)}))["data"]
    assert (marks["x"], marks["y"]) == ([pytest.approx(0.2)], [pytest.approx(0.3)])


def test_unfinished_trials_are_in_no_chart_of_results() -> None:
    study, trials, curves = searched(40)
    complete = {t.number for t in trials if t.state is RunState.COMPLETE}
    _, *marks = history_figure(Results(study, trials, curves))["data"]
    assert {number for trace in marks for number in trace["x"]} == complete


def test_a_figure_draws_a_bounded_number_of_trials_evenly_and_the_best_of_each_variant() -> None:
    few = {"dropout": [1, 2, 3], "none": [4]}
    assert thinned(few) == few
    assert thinning(few) == ""
    many = {"dropout": list(range(9 * MOST_POINTS)), "dropconnect": list(range(MOST_POINTS)), "none": [7]}
    kept = thinned(many)
    assert (kept["dropout"][:2], kept["dropconnect"][0], kept["none"]) == ([0, 10], 0, [7])
    assert MOST_POINTS <= sum(map(len, kept.values())) <= MOST_POINTS + len(many)
    assert f"Of {10 * MOST_POINTS + 1:,} trials" in thinning(many)


def test_critical_difference_diagram_places_every_variant_at_its_rank() -> None:
    variants, ranks = ["dropout", "dropconnect", "none"], [1.2, 2.9, 1.9]
    test = replace(friedman(np.tile(np.arange(3), (10, 1))), mean_ranks=tuple(ranks))
    traces = critical_difference_figure(variants, test, alpha=0.05)["data"]
    arms = {trace["text"][-1]: trace["x"][0] for trace in traces if "text" in trace and len(trace["x"]) == 3}
    named = {variant: x for variant in variants for label, x in arms.items() if label and variant in label}
    assert named == dict(zip(variants, ranks, strict=True))
