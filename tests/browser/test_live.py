"""A browser watches a real study of `digits` run to its end on real workers, and is never reloaded."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.states import StudyState
from service.storage.studies import studies
from tests.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.browser.test_pages import complaints, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.wide,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium chromium-driver"
    ),
]
ROOT = Path(__file__).parents[2]
DEFINITION = {
    "name": "digits-live",
    "task": {"name": "digits", "epochs": 12},
    "search_space": {
        "regularizer": {"type": "categorical", "choices": ["dropout", "none"]},
        "drop_rate": {"type": "float", "low": 0.1, "high": 0.6, "when": {"regularizer": "dropout"}},
    },
    "sampler": {"name": "random", "seed": 3},
    "pruner": {"name": "none"},
    "confirmation": {"top": 1, "repeats": 2},
    "budget": {"trials": 4},
}

TO_CHART = "document.querySelector('#report .chart').scrollIntoView()"


def test_a_study_is_watched_to_its_end(database: Database, database_url: str, unguarded: str, tmp_path: Path) -> None:
    studies.create(database, parse_definition(DEFINITION))
    with chromium(tmp_path / "profile") as browser:
        browser.get(f"{unguarded}/studies/digits-live")
        browser.execute_script("window.neverReloaded = true")
        status = browser.find_element(By.CSS_SELECTOR, ".news")
        wait_for(browser, lambda: status.text == "Up to date")
        assert "no worker is alive" in part(browser, "progress")
        environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1"]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".runs li .curve polyline"))
            wait_for(browser, lambda: "of 12" in part(browser, "training"))
            browser.save_screenshot(str(tmp_path / "live.png"))
            wait_for(browser, lambda: "is complete" in part(browser, "happened"))
            assert re.match(r"\d\d:\d\d:\d\d UTC ", part(browser, "happened"))
            wait_for(browser, lambda: "under fresh seeds" in part(browser, "confirmation"))
            wait_for(browser, lambda: "it has ended" in part(browser, "progress"))
        finally:
            worker.terminate()
            worker.wait(60)
        assert studies.get(database, "digits-live").state is StudyState.COMPLETE
        assert "4 of 4 trials" in part(browser, "progress")
        assert browser.find_element(By.CSS_SELECTOR, ".heading .pill").text == "complete"
        # The report below has come without a reload, and has its charts.
        wait_for(browser, lambda: "4 / 4" in browser.find_element(By.ID, "report").text)
        # A chart is drawn when it is near.
        wait_for(browser, lambda: browser.execute_script(TO_CHART) or True)
        wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#report .js-plotly-plot .main-svg"))
        assert browser.execute_script("return window.neverReloaded") is True
        assert complaints(browser) == []


def part(browser: object, name: str) -> str:
    found: str = browser.find_element(By.CSS_SELECTOR, f"[data-part={name}]").text  # type: ignore[attr-defined]
    return found
