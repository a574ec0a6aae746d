"""The report in a real browser: its charts draw under its own policy, and what is injected does not run."""

from pathlib import Path

import pytest

from service.reports import Results, html_report
from tests.browser.chromium import CHROMIUM, DRIVER, chromium, draw_all
from tests.reports.samples import searched, study_of, trial_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium"),
]
INJECTED = '<script>document.title = "injected"</script>'


def rendered(page: str, folder: Path) -> str:
    """The page's elements after its programs have run and every chart is drawn."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    with chromium(folder / "profile") as browser:
        browser.get(file.as_uri())
        draw_all(browser)
        return browser.page_source


def test_charts_draw_and_injected_programs_do_not_run(tmp_path: Path) -> None:
    page = html_report(Results(*searched(40)))
    soiled = page.replace("</main>", f"{INJECTED}</main>")
    assert soiled != page
    shown = rendered(soiled, tmp_path)
    assert page.count('class="chart"') > 3
    assert shown.count('class="main-svg"') >= page.count('class="chart"')
    assert "<title>digits-noise" in shown


def test_a_name_that_is_markup_is_shown_as_text(tmp_path: Path) -> None:
    evil = '<img src="x" onerror="document.title=1">'
    trials = [trial_of(n, [n / 9], params={"regularizer": evil, "drop_rate": n / 10}) for n in range(4)]
    shown = rendered(html_report(Results(study_of(trials, description=evil), trials, {})), tmp_path)
    assert 'class="main-svg"' in shown
    assert "<img" not in shown
