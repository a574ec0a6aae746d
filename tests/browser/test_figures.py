"""The live page writes a figure as the server has written it: its script goes on with what the page had."""

from pathlib import Path

import pytest

from service.reports.words.wording import number
from tests.browser.chromium import CHROMIUM, DRIVER, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium chromium-driver"
    ),
]
SCRIPT = Path(__file__).parents[2] / "service" / "dashboard" / "assets" / "curve.js"
FIGURES = (0.0, 0.123456, -0.5, 1.0, 12.0, 1234.0, 1234.56, 9999.96, 12345.1, -12345.44, 123456.78, 999_999.0)


def test_a_script_writes_figures_as_the_server_does(tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        browser.execute_script(SCRIPT.read_text())
        written = browser.execute_script("return arguments[0].map(window.liveCurve.figure)", FIGURES)
    assert written == [number(value) for value in FIGURES]
