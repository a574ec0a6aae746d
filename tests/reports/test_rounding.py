"""Rounding for people changes no answer: what excludes 0 is not shown as 0, and 0.0496 is below 0.05."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from service.cli.views import measured
from service.reports import html_report
from service.reports.exports import markdown_of, text_table
from service.reports.found.confirmed import confirmation_of
from service.reports.words.conclusion import p_number, p_text
from service.reports.words.winner import verdict_of
from service.reports.words.wording import MINUS, decimal, number, places_for
from service.rounding import fixed
from tests.reports.reading import Page
from tests.reports.test_confirmation import CLEAR, results_of


@pytest.mark.parametrize(
    ("value", "places", "sign", "shown"),
    [
        (0.0123, 3, "", "0.012"),
        (0.0002, 3, "", "0.0002"),
        (-0.000213, 3, "", "-0.00021"),
        (0.000213, 3, "+", "+0.00021"),
        (0.0005001, 3, "", "0.001"),
        (0.0, 3, "+", "+0.000"),
        (-0.0, 3, "", "0.000"),
        (-3e-17, 3, "", "0.000"),  # of a sum that is 0
        (2.5e-14, 6, "", "2.5e-14"),
    ],
)
def test_only_zero_is_shown_as_zero(value: float, places: int, sign: str, shown: str) -> None:
    assert fixed(value, places, sign) == shown


@pytest.mark.parametrize(
    ("value", "shown", "measured_as"),
    [
        (12345.1, "12,345.1", "12345.1"),
        (-12345.44, f"{MINUS}12,345.4", "-12345.4"),
        (1234.56, "1235", "1235."),
        (999_999.94, "999,999.9", "999999.9"),
        (1_234_567.8, "1.235e+06", "1.235e+06"),
        (9999.96, "10,000.0", "10000.0"),
        (999_999.96, "1e+06", "1.000e+06"),
        (0.123456, "0.1235", "0.1235"),
    ],
)
def test_ten_thousands_keep_what_tells_them_apart(value: float, shown: str, measured_as: str) -> None:
    """Means of 12345.1 and 12345.4, and the bounds of an interval, would all be 1.235e+04."""
    assert (number(value), measured(value)) == (shown, measured_as)
    assert number(value, 2) == f"{value:.2g}".replace("-", MINUS)


def test_small_metrics_keep_their_digits() -> None:
    assert [decimal(value, places_for([3e-7])) for value in (3e-7, 1.2341e-7)] == ["0.0000003000", "0.0000001234"]
    assert decimal(-0.0002, 3) == f"{MINUS}0.0002"


@pytest.mark.parametrize("p", [0.0496, 0.04951, 0.049999, 0.05, 0.0504, 0.031, 0.9996, math.nextafter(0.05, 0)])
def test_a_p_value_stays_on_its_side_of_the_level(p: float) -> None:
    assert (float(p_number(p)) < 0.05) is (p < 0.05)
    assert abs(float(p_number(p)) - p) <= 0.0005
    assert len(p_number(p)) <= 9
    assert p_text(0.0496) == "p = 0.0496"
    assert p_text(0.0314) == "p = 0.031"


SCALES = [1e-12, 1e-7, 1.0, 1e6, 1e12]


def spans(text: str) -> list[tuple[float, float]]:
    """The intervals in a text."""
    number = r"[+-]?[\d,.]+(?:e[+-]?\d+)?"
    return [
        (float(low), float(high))
        for low, high in re.findall(rf"\(({number}) to ({number})\)", text.replace(MINUS, "-"))
    ]


@pytest.mark.parametrize("scale", SCALES)
def test_the_figures_shown_are_the_figures_at_every_magnitude(scale: float) -> None:
    found = {name: [value * scale for value in values] for name, values in CLEAR.items()}
    results = results_of(found)
    confirmation = confirmation_of(results)
    assert confirmation is not None
    ours, theirs = found["dropconnect"], found["dropout"]
    low, high = stats.t.interval(0.95, 4, np.mean(ours), stats.sem(ours))
    apart = np.subtract(theirs, ours)
    between = stats.t.interval(0.95, 4, apart.mean(), stats.sem(apart))
    first = verdict_of(results, confirmation)[0]
    assert spans(first) == [pytest.approx((low, high), rel=0.02)]
    written = markdown_of(text_table(results)).decode()
    assert spans(written)[0] == pytest.approx((low, high), rel=0.02)
    assert spans(written)[2:4] == [pytest.approx(between, rel=0.02)] * 2


def test_an_interval_that_excludes_zero_is_shown_to_exclude_it() -> None:
    level = [1.02, 0.98, 1.05, 0.91, 1.01]
    ahead = [value - 0.0002 - 0.00001 * (place % 2) for place, value in enumerate(level)]
    results = results_of({"dropout": level, "dropconnect": ahead})
    confirmation = confirmation_of(results)
    assert confirmation is not None
    assert verdict_of(results, confirmation)[1].endswith("exclude 0.")
    assert confirmation.to_winner[0].low > 0
    shown = spans(markdown_of(text_table(results)).decode())
    assert shown[2][0] > 0
    assert shown[2] == pytest.approx((confirmation.to_winner[0].low, confirmation.to_winner[0].high), rel=0.06)
    assert _interval_of(Page(html_report(results)).text) > 0


def _interval_of(page: str) -> float:
    """The lower end of the only difference's interval in the report's table."""
    cells: Sequence[str] = re.findall(r"0\.000\d+ to 0\.000\d+", page)
    assert len(cells) == 1
    return float(cells[0].split(" ")[0])
