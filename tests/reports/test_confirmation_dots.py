"""The confirmed configurations as the figure shows them."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from service.reports.charts.chart import Trace
from service.reports.charts.confirmation_dots import MOST_ROWS, confirmation_figure
from service.reports.drawing import draw
from service.reports.found.results import Results
from service.reports.sections import charts_of
from service.reports.sections.confirmation import confirmation_charts
from service.statistics import mean_interval
from service.storage.states import StudyState
from tests.reports.samples import study_of, trial_of
from tests.reports.test_confirmation import CLEAR, CLOSE, confirmed, points_of, results_of, run_of
from tests.reports.test_drawing import texts

BEST, OTHER = CLEAR["dropconnect"], CLEAR["dropout"]


def marks(traces: list[Trace], symbol: str, across: str) -> Trace:
    """The means with that mark on one of the two panels."""
    [found] = [t for t in traces if "error_x" in t and (t["marker"]["symbol"], t["xaxis"]) == (symbol, across)]
    return found


def test_the_best_row_is_the_highest_and_has_every_seed_and_the_mean_with_its_interval() -> None:
    figure = confirmation_figure(confirmed(results_of(CLEAR)), "winner")
    assert figure["layout"]["yaxis"]["ticktext"] == ["dropout", "dropconnect"], "from the bottom"
    first, second = [trace for trace in figure["data"] if trace["x"] in (BEST, OTHER)]
    assert (first["x"], second["x"]) == (BEST, OTHER)
    assert min(first["y"]) > max(second["y"])
    winner, expected = marks(figure["data"], "star", "x"), mean_interval(BEST)
    assert winner["x"] == [pytest.approx(sum(BEST) / 5)]
    assert winner["error_x"]["array"] == [pytest.approx(expected.high - sum(BEST) / 5)]
    assert winner["error_x"]["arrayminus"] == [pytest.approx(sum(BEST) / 5 - expected.low)]
    assert marks(figure["data"], "diamond", "x")["x"] == [pytest.approx(sum(OTHER) / 5)]


def test_differences_are_to_the_winner_with_the_intervals_of_the_table() -> None:
    found = confirmed(results_of(CLEAR))
    figure = confirmation_figure(found, "winner")
    [difference] = found.to_winner
    behind = marks(figure["data"], "diamond", "x2")
    assert behind["x"] == [difference.mean]
    assert behind["error_x"]["array"] == [difference.high - difference.mean]
    assert marks(figure["data"], "star", "x2")["x"] == [0]


def test_one_configuration_has_no_difference_to_show() -> None:
    [chart] = confirmation_charts(results_of({"dropout": OTHER}))
    assert "xaxis2" not in chart.figure["layout"]
    assert "difference" not in chart.caption
    ElementTree.fromstring(draw(chart.figure, "svg"))


@pytest.mark.parametrize(
    ("values", "state", "words"),
    [
        (CLEAR, StudyState.COMPLETE, "the winner"),
        (CLOSE, StudyState.COMPLETE, "the best mean"),
        (CLEAR, StudyState.RUNNING, "the best so far"),
    ],
)
def test_nobody_is_called_the_winner_who_has_not_won(
    values: Mapping[str, Sequence[float]], state: StudyState, words: str
) -> None:
    chart = charts_of(results_of(values, state))["confirmation"]
    go.Figure(chart.figure)  # raises for an unknown property or value
    written = texts(draw(chart.figure, "svg"))
    assert {"test_loss", "a fresh seed", "mean with its 95% interval", words, f"difference to {words}"} <= set(written)
    assert f"difference to {words}" in chart.caption
    assert "right of 0 is worse" in chart.caption


def test_a_study_without_confirmation_has_no_such_figure() -> None:
    results = results_of(CLEAR)
    assert confirmation_charts(Results(results.study, results.trials, results.curves)) == []


def test_of_very_many_configurations_the_best_are_drawn() -> None:
    runs = [run_of(place, "dropout", place / 100) for place in range(MOST_ROWS + 3)]
    curves = {run.run_id: points_of([place, place + 1]) for place, run in enumerate(runs)}
    study = study_of([trial_of(0, [0.1])], confirmation={"top": len(runs), "repeats": 2})
    [chart] = confirmation_charts(Results(study, [trial_of(0, [0.1])], curves, runs))
    named = chart.figure["layout"]["yaxis"]["ticktext"]
    assert (len(named), named[-1], named[0]) == (MOST_ROWS, "dropout<br>drop_rate 0", "dropout<br>drop_rate 0.49")
    assert len(marks(chart.figure["data"], "diamond", "x2")["x"]) == MOST_ROWS - 1
    assert chart.caption.endswith("3 configurations further down are left out.")
