"""The dashboard as people see it: a real Chromium logs in, reads, and finds its way in both directions."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from selenium.common import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from service.storage.records import StudyRecord
from tests.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.browser.conftest import KEY

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no Chromium here: apt-get install chromium chromium-driver",
    ),
]
PATIENCE_S = 60
Found = TypeVar("Found")
# What a page of Optuna's has at the end: buttons that read, and those that write, which are hidden.
WAITED = {
    "dashboard": ("RefreshIcon", "AddBoxIcon", "DriveFileRenameOutlineIcon", "DeleteIcon"),
    "trials": ("FilterListIcon",),
    "note": ("EditIcon",),
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests here: to start it takes longer than most of them."""
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture
def browser(started: Chrome) -> Chrome:
    """A browser as new: on no page, and without anything of an earlier test's."""
    started.get("about:blank")
    started.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    for command in ("Network.clearBrowserCookies", "Network.clearBrowserCache"):
        started.execute_cdp_cmd(command, {})
    started.set_window_size(1280, 1000)
    complaints(started)  # reads them, which empties the console
    return started


@pytest.fixture
def reader(browser: Chrome, guarded: str, study: StudyRecord) -> Chrome:
    """A browser that has logged in and stands on the list of studies."""
    browser.get(guarded)
    log_in(browser, KEY)
    wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, "article"))
    return browser


def test_a_wrong_key_is_refused(browser: Chrome, guarded: str) -> None:
    browser.get(f"{guarded}/studies")
    log_in(browser, "not the key")
    complaint = wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".complaint"))
    assert complaint.text == "This is no key of this dashboard, or one that has ended."
    browser.get(f"{guarded}/studies")
    assert browser.find_elements(By.CSS_SELECTOR, "article") == []
    assert "/login" in browser.current_url


def test_the_login_leads_to_the_list_and_the_logout_away(reader: Chrome, guarded: str, tmp_path: Path) -> None:
    card = reader.find_element(By.CSS_SELECTOR, "article")
    assert "digits-1" in card.text
    assert "complete" in card.text
    assert "12 of 12 trials, 1 pruned, 1 failed" in card.text
    assert complaints(reader) == []
    reader.save_screenshot(str(tmp_path / "list.png"))
    reader.find_element(By.CSS_SELECTOR, "header button").click()
    wait_for(reader, lambda: "/login" in reader.current_url)
    reader.get(f"{guarded}/studies")
    assert "/login" in reader.current_url


def test_the_report_shows_its_charts_and_leads_on_to_optuna(reader: Chrome, tmp_path: Path) -> None:
    reader.find_element(By.LINK_TEXT, "Report").click()
    first = wait_for(reader, lambda: reader.find_element(By.CSS_SELECTOR, ".chart"))
    reader.execute_script("arguments[0].scrollIntoView()", first)  # a chart is drawn when it is near
    charts = wait_for(reader, lambda: reader.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .main-svg"))
    assert len(charts) > 1
    assert "digits-1" in reader.find_element(By.TAG_NAME, "h1").text
    assert complaints(reader) == []
    whole_page(reader, tmp_path / "report.png")
    reader.find_element(By.LINK_TEXT, "Trials in Optuna").click()
    wait_for(reader, lambda: "/dashboard/studies/" in reader.current_url)
    wait_for(reader, lambda: "digits-1" in text_of(reader))


def test_optunas_list_leads_to_the_study(reader: Chrome, guarded: str, tmp_path: Path) -> None:
    reader.get(f"{guarded}/dashboard")
    link = wait_for(reader, lambda: reader.find_element(By.CSS_SELECTOR, "a[href*='/dashboard/studies/']"))
    reader.save_screenshot(str(tmp_path / "optuna-list.png"))
    reader.execute_script("arguments[0].click()", link)
    wait_for(reader, lambda: "/dashboard/studies/" in reader.current_url)


@pytest.mark.wide
def test_optunas_study_page_shows_history_and_importance(
    reader: Chrome, guarded: str, study: StudyRecord, tmp_path: Path
) -> None:
    reader.get(f"{guarded}/dashboard/studies/{study.optuna_study_id}")
    wait_for(reader, lambda: points(reader, "#optimization-history-0, [id*='history']") > 0)
    wait_for(reader, lambda: "drop_rate" in reader.find_element(By.CSS_SELECTOR, "[id*='importance']").text)
    whole_page(reader, tmp_path / "optuna-study.png")
    assert complaints(reader) == []
    reader.get(f"{guarded}/dashboard/studies/{study.optuna_study_id}/note")
    wait_for(reader, lambda: reader.find_element(By.LINK_TEXT, "Report of this study")).click()
    wait_for(reader, lambda: reader.current_url.endswith("/studies/digits-1"))


WRITING = (
    "AddBoxIcon", "DriveFileRenameOutlineIcon", "DeleteIcon", "EditIcon", "SaveIcon", "StopCircleIcon"
)  # fmt: skip


@pytest.mark.wide
def test_optunas_pages_have_no_button_that_writes(reader: Chrome, guarded: str, study: StudyRecord) -> None:
    below = f"dashboard/studies/{study.optuna_study_id}"
    for path in ("dashboard", below, f"{below}/trials", f"{below}/note"):
        reader.get(f"{guarded}/{path}")
        for icon in ("MenuIcon", *WAITED.get(path.rpartition("/")[2], ("SyncIcon",))):
            wait_for(reader, partial(reader.find_element, By.CSS_SELECTOR, f"[data-testid='{icon}']"))
        for icon in WRITING:
            found = reader.find_elements(By.CSS_SELECTOR, f"button:has([data-testid='{icon}'])")
            assert not any(button.is_displayed() for button in found), (path, icon)


@pytest.mark.wide
def test_optunas_pages_name_the_metric_and_lead_back(reader: Chrome, guarded: str, study: StudyRecord) -> None:
    reader.get(f"{guarded}/dashboard/studies/{study.optuna_study_id}")
    wait_for(reader, lambda: "val_loss" in text_of(reader))
    assert "Objective 0" not in text_of(reader)
    wait_for(reader, lambda: reader.find_element(By.LINK_TEXT, "Report of this study")).click()
    wait_for(reader, lambda: reader.current_url.endswith("/studies/digits-1"))
    reader.get(f"{guarded}/dashboard")
    wait_for(reader, lambda: reader.find_element(By.LINK_TEXT, "PerNodeDrop's studies")).click()
    wait_for(reader, lambda: reader.current_url.endswith("/studies"))


def test_no_chart_offers_to_send_its_data_away(reader: Chrome, guarded: str) -> None:
    reader.get(f"{guarded}/studies/digits-1")
    chart = wait_for(reader, lambda: reader.find_element(By.CSS_SELECTOR, ".chart"))
    reader.execute_script("arguments[0].scrollIntoView()", chart)
    wait_for(reader, lambda: reader.find_element(By.CSS_SELECTOR, ".modebar-btn"))
    every = "return [...document.querySelectorAll('.modebar-btn')].map((button) => button.dataset.title || '')"
    titles = set(reader.execute_script(every))
    assert not any(word in title.lower() for title in titles for word in ("share", "cloud", "studio", "edit")), titles
    # Nor a chart of ours that somebody draws without our settings.
    drawn = """
        const place = document.body.appendChild(document.createElement("div"));
        const done = arguments[arguments.length - 1];
        Plotly.newPlot(place, [{y: [1, 2]}]).then(() => done(place.innerHTML.toLowerCase().includes("share chart")));
    """
    assert reader.execute_async_script(drawn) is False


def test_the_pages_are_readable_in_the_dark(tmp_path: Path, unguarded: str, study: StudyRecord) -> None:
    with chromium(tmp_path / "profile", dark=True) as browser:
        browser.get(f"{unguarded}/studies")
        wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, "article"))
        ground = "return getComputedStyle(document.body).backgroundColor"
        assert browser.execute_script(ground) == "rgb(16, 20, 26)"
        browser.save_screenshot(str(tmp_path / "dark.png"))


def log_in(browser: Chrome, key: str) -> None:
    browser.find_element(By.ID, "key").send_keys(key)
    browser.find_element(By.CSS_SELECTOR, "form button").click()


def wait_for(browser: Chrome, found: Callable[[], Found]) -> Found:
    """The first result that is true; elements that are not there yet are waited for."""
    waiting = WebDriverWait(browser, PATIENCE_S, ignored_exceptions=(WebDriverException,))
    return waiting.until(lambda _: found())


def points(browser: Chrome, selector: str) -> int:
    """How many marks the charts under the selector have drawn."""
    return len(browser.find_elements(By.CSS_SELECTOR, f":is({selector}) .point"))


def text_of(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def complaints(browser: Chrome) -> list[str]:
    """What the browser's console holds against the page: refused by a policy, failed to load, thrown."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def whole_page(browser: Chrome, file: Path) -> None:
    """A picture of the whole page, however long."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.set_window_size(1280, min(6000, height + 150))
    browser.save_screenshot(str(file))
