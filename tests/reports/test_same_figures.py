"""A configuration with the same figure under every seed: its mean is not certain for that, wherever it is shown."""

import csv
import io

import pytest

from service.api.answers import confirmed_out
from service.cli.confirmed import _cells
from service.reports.exports import confirmation_table, csv_of, markdown_of, text_table
from service.reports.found.confirmed import confirmation_of
from service.reports.page import html_report
from service.reports.words.winner import verdict_of
from service.storage.states import StudyState
from tests.reports.deciding import decided
from tests.reports.reading import Page
from tests.reports.test_confirmation import results_of

REACH = 4.3027 * 0.025 / 3  # Student's t of two degrees of freedom; one seed in three is a step off


def test_it_has_the_interval_of_a_step() -> None:
    found = confirmation_of(decided({"dropout": [0.1] * 3, "dropconnect": [0.125, 0.15, 0.1]}, [3], StudyState.RUNNING))
    assert found is not None
    first, _ = confirmed_out(found, {})
    assert (first.low, first.high) == (pytest.approx(0.1 - REACH, rel=1e-3), pytest.approx(0.1 + REACH, rel=1e-3))


def test_where_nothing_shows_a_step_there_is_no_interval() -> None:
    study = decided({"dropout": [0.1] * 3, "dropconnect": [0.1] * 3}, [3])
    found = confirmation_of(study)
    assert found is not None
    for row in confirmed_out(found, {}):
        assert (row.mean, row.low, row.high) == (pytest.approx(0.1), None, None)
        assert _cells(row, frozenset(), 3)[1] == "0.100\n-"
    rows = list(csv.DictReader(io.StringIO(csv_of(confirmation_table(study)).decode())))
    assert [[row[name] for name in ("test_loss_low", "test_loss_high", "interval")] for row in rows] == [[""] * 3] * 2
    assert "0.1000 to 0.1000" not in Page(html_report(study)).text + markdown_of(text_table(study)).decode()
    assert any("under each of 3 fresh seeds, which shows no interval" in said for said in verdict_of(study, found))


@pytest.mark.parametrize("until", ["fixed", "decided"])
def test_figures_of_one_number_do_not_show_that_configurations_are_equal(until: str) -> None:
    """All accuracies are 1 under a few seeds, as of many that are nearly right: the next input may tell them apart."""
    found = {"dropout": [1.0] * 5, "dropconnect": [1.0] * 5}
    study = results_of(found) if until == "fixed" else decided(found, [5], most_repeats=5, indifference=0.001)
    confirmation = confirmation_of(study)
    assert confirmation is not None
    assert confirmation.to_winner[0].high > 0.2
    said = " ".join(verdict_of(study, confirmation))
    assert "practically equal" not in said
    assert "train alike" not in said
    assert "have the same mean" in said
    assert "0.000 to 0.000" not in Page(html_report(study)).text + markdown_of(text_table(study)).decode()
