"""Runs that report fewer seeds than they claim, as an own loop's may: every report can still be made."""

from dataclasses import replace

import pytest

from service.reports import html_report
from service.reports.found.confirmed import confirmation_of
from service.reports.found.results import Results
from service.reports.words.winner import verdict_of
from service.storage.states import StudyState
from tests.reports.deciding import followed
from tests.reports.test_confirmation import CLEAR, results_of
from tests.reports.test_decided import EQUAL, LOSSES, UNDECIDED, WON

STUDIES = {
    "won": WON,
    "equal": EQUAL,
    "undecided": UNDECIDED,
    "fixed": results_of(CLEAR),
    "going on": followed(LOSSES, StudyState.RUNNING, 8),
}


def shortened(results: Results, kept: int, only: int | None) -> Results:
    """The results with so many repeats of every run, or of the one in this place."""
    curves = {
        run.run_id: [point for point in results.curves[run.run_id] if only not in (None, place) or point.repeat < kept]
        for place, run in enumerate(results.confirmations)
        if run.run_id in results.curves
    }
    return replace(results, curves=curves)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_no_report_fails(name: str, kept: int) -> None:
    for only in (None, 0):
        short = shortened(STUDIES[name], kept, only)
        assert "<main" in html_report(short)
        found = confirmation_of(short)
        assert found is None or verdict_of(short, found)


def test_one_seed_has_no_interval() -> None:
    short = shortened(WON, 1, None)
    found = confirmation_of(short)
    assert found is not None
    assert found.seeds == 1
    assert any("over 1 fresh seed, too few for an interval" in said for said in verdict_of(short, found))
    assert "no interval" in html_report(short)
