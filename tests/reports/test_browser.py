"""The report in a real browser: its charts draw under its own policy, and what is injected does not run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from service.reports import Results, html_report
from tests.reports.samples import searched, study_of, trial_of

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
INJECTED = '<script>document.title = "injected"</script>'


def rendered(page: str, folder: Path) -> str:
    """The page's elements after its programs have run."""
    (folder / "report.html").write_text(page, encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    done = subprocess.run(
        [
            str(CHROMIUM),
            *flags,
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1280,20000",  # a chart is drawn when it is near
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"file://{folder / 'report.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_charts_draw_and_injected_programs_do_not_run(tmp_path: Path) -> None:
    page = html_report(Results(*searched(40)))
    soiled = page.replace("</main>", f"{INJECTED}</main>")
    assert soiled != page
    shown = rendered(soiled, tmp_path)
    assert page.count('class="chart"') > 3
    assert shown.count('class="main-svg"') >= page.count('class="chart"')
    assert "<title>digits-noise" in shown


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_name_that_is_markup_is_shown_as_text(tmp_path: Path) -> None:
    evil = '<img src="x" onerror="document.title=1">'
    trials = [trial_of(n, [n / 9], params={"regularizer": evil, "drop_rate": n / 10}) for n in range(4)]
    shown = rendered(html_report(Results(study_of(trials, description=evil), trials, {})), tmp_path)
    assert 'class="main-svg"' in shown
    assert "<img" not in shown
