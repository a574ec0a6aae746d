"""The pages of runs as people use them, in a real Chromium: scroll, sort, drag along an axis, read a log, go on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from service.storage.database.database import Database
from service.storage.records import CurvePoint, StudyRecord
from service.storage.runs import holding
from service.storage.states import RunState
from tests.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.browser.hard_run import LINES, failed_twice
from tests.browser.many import many_trials
from tests.browser.test_pages import complaints, text_of, wait_for
from tests.storage.queueing import claimed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.wide,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no Chromium here: apt-get install chromium chromium-driver",
    ),
]
TRIALS = 10_000
COUNT = ".listing .total"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
def many(database: Database) -> StudyRecord:
    return many_trials(database, "many", TRIALS)


def shown(browser: Chrome) -> list[int]:
    """The trials that the page has rows of, from top to bottom."""
    script = "return [...document.querySelectorAll('.rows tbody tr a')].map((each) => Number(each.textContent))"
    found: list[int] = browser.execute_script(script)
    return found


def scroll(browser: Chrome, row: int) -> None:
    script = "const rows = document.querySelector('.rows'); rows.scrollTop = rows.scrollHeight * arguments[0]"
    browser.execute_script(script, row / TRIALS)


def test_ten_thousand_runs_are_scrolled_with_few_rows_in_the_page(
    browser: Chrome, unguarded: str, many: StudyRecord
) -> None:
    browser.get(f"{unguarded}/studies/many/trials")
    wait_for(browser, lambda: shown(browser)[:3] == [0, 1, 2])
    assert browser.find_elements(By.CSS_SELECTOR, ".listing .turning") == []
    for row in (7_000, 2_000, TRIALS):
        scroll(browser, row)
        wait_for(browser, lambda row=row: min(row, TRIALS - 1) in shown(browser))  # type: ignore[misc]
        numbers = shown(browser)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert len(numbers) < 200
    last = browser.find_element(By.LINK_TEXT, str(TRIALS - 1))
    assert last.find_element(By.XPATH, "./ancestor::tr").get_attribute("aria-rowindex") == str(TRIALS + 1)
    assert browser.find_element(By.CSS_SELECTOR, ".rows table").get_attribute("aria-rowcount") == str(TRIALS + 1)
    assert complaints(browser) == []


def test_the_keyboard_reaches_every_run(browser: Chrome, unguarded: str, many: StudyRecord) -> None:
    browser.get(f"{unguarded}/studies/many/trials?state=complete&sort=value")
    wait_for(browser, lambda: len(shown(browser)) > 30)
    order = shown(browser)
    first = browser.find_element(By.LINK_TEXT, str(order[0]))
    browser.execute_script("arguments[0].focus()", first)
    for _ in range(40):  # beyond what was drawn at first
        ActionChains(browser).send_keys(Keys.ARROW_DOWN).perform()
    active = int(browser.switch_to.active_element.text)
    assert active not in order[:39]
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait_for(browser, lambda: browser.current_url.endswith(f"/studies/many/trials/{active}"))
    assert f"Trial {active}" in text_of(browser)


def test_dragging_along_an_axis_filters_the_table(browser: Chrome, unguarded: str, many: StudyRecord) -> None:
    browser.get(f"{unguarded}/studies/many/trials?sort=value")
    axes = wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".parallel rect.hit"))
    assert len(axes) == 6  # variant, units, drop_rate, stir_type, regularizer, val_loss
    titles = [each.text for each in browser.find_elements(By.CSS_SELECTOR, '.parallel text[font-weight="600"]')]
    value = axes[titles.index("val_loss")]
    half = value.size["height"] // 2
    ActionChains(browser).move_to_element(value).click_and_hold().move_by_offset(0, half - 2).release().perform()
    wait_for(browser, lambda: "where=" in browser.current_url)
    typed = browser.find_element(By.CSS_SELECTOR, "[name=where]").get_attribute("value")
    bounds = re.fullmatch(r"value>=([\d.]+),value<=([\d.]+)", str(typed))
    assert bounds is not None
    wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, COUNT).text != "10,000 runs")
    count = browser.find_element(By.CSS_SELECTOR, COUNT).text
    assert "hold the conditions" in text_of(browser)
    browser.get(browser.current_url)  # as it is passed on
    assert browser.find_element(By.CSS_SELECTOR, COUNT).text == count
    again = wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".parallel rect.hit"))
    assert browser.find_elements(By.CSS_SELECTOR, ".parallel rect.brush")
    ActionChains(browser).move_to_element(again[titles.index("val_loss")]).click().perform()
    wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, COUNT).text == "10,000 runs")
    categories = browser.find_elements(By.CSS_SELECTOR, ".parallel rect.hit")[titles.index("regularizer")]
    quarter = categories.size["height"] // 4
    moved = ActionChains(browser).move_to_element_with_offset(categories, 0, quarter - 8)
    moved.click_and_hold().move_by_offset(0, 16).release().perform()
    wait_for(browser, lambda: "regularizer%3Ddropout" in browser.current_url)
    wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, COUNT).text == "3,334 runs")
    assert complaints(browser) == []


def test_a_narrow_window_has_a_sentence_instead_of_the_chart(
    browser: Chrome, unguarded: str, study: StudyRecord
) -> None:
    sizes = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    for path in ("studies/digits-1/trials", "studies/digits-1/trials/0", "compare?study=digits-1"):
        browser.get(f"{unguarded}/{path}")
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), path
    browser.get(f"{unguarded}/studies/digits-1/trials")
    assert "This chart needs a wider window" in text_of(browser)
    assert not browser.find_element(By.CSS_SELECTOR, ".coordinates").is_displayed()


def test_a_wrong_condition_is_told_beside_the_field(browser: Chrome, unguarded: str, study: StudyRecord) -> None:
    browser.get(f"{unguarded}/studies/digits-1/trials")
    field = browser.find_element(By.CSS_SELECTOR, "[name=where]")
    field.send_keys("drop_rat<0.5", Keys.ENTER)
    told = wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".complaint"))
    assert "did you mean drop_rate?" in told.text
    field = browser.find_element(By.CSS_SELECTOR, "[name=where]")
    assert field.get_attribute("value") == "drop_rat<0.5"
    field.clear()
    field.send_keys("drop_rate>5", Keys.ENTER)
    wait_for(browser, lambda: "No run of this study is like that." in text_of(browser))


def test_a_log_of_hostile_text_is_read(browser: Chrome, unguarded: str, database: Database) -> None:
    failed_twice(database)
    browser.get(f"{unguarded}/studies/hard/trials/0")
    assert "ValueError: <script>alert('log')</script>" in text_of(browser)
    browser.find_element(By.XPATH, "//summary[starts-with(., 'Standard output, the last 200 lines')]").click()
    log = browser.find_element(By.CSS_SELECTOR, "details[open][data-part='Standard output 2'] pre")
    assert f"line {LINES - 1} <script>" in str(log.get_attribute("textContent"))
    assert browser.find_elements(By.CSS_SELECTOR, "main script, main img") == []
    assert complaints(browser) == []


def test_a_run_in_training_goes_on_in_the_page(browser: Chrome, unguarded: str, database: Database) -> None:
    study = failed_twice(database, "going")
    lease = claimed(database, 600)
    holding.attach(database, lease, None, 2, {"regularizer": "dropout", "drop_rate": 0.1, "units": 32})
    browser.get(f"{unguarded}/studies/{study.name}/trials/2")
    assert "No epoch has been recorded." in text_of(browser)
    for epoch in (1, 2):
        holding.record_epoch(database, lease, epoch, [CurvePoint(epoch, 0, "val", "loss", 1 / epoch)])
    wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "svg.plot"))
    holding.finish(database, lease, RunState.FAILED, reason="out of memory", tell=lambda: None)
    wait_for(browser, lambda: "out of memory" in text_of(browser))
    wait_for(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, "main[data-live]"))
    assert complaints(browser) == []


def test_paper_has_every_row_that_has_come_and_no_more_than_its_width(
    browser: Chrome, unguarded: str, many: StudyRecord
) -> None:
    browser.get(f"{unguarded}/studies/many/trials")
    wait_for(browser, lambda: len(shown(browser)) > 20)
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.printed = ["
        "document.querySelectorAll('.rows tbody tr a').length, document.querySelector('.listing .total').textContent,"
        "] })"
    )
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert browser.execute_script("return window.printed") == [200, "200 of 10,000 runs: the CSV file has all"]
    counted = browser.find_element(By.CSS_SELECTOR, COUNT)
    wait_for(browser, lambda: counted.text == "10,000 runs" and len(shown(browser)) < 200)
    size = {"width": 1017, "height": 700, "deviceScaleFactor": 1, "mobile": False}  # A4, landscape, less its margins
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    wide = "const rows = document.querySelector('.rows'); return [rows.scrollWidth - rows.clientWidth, innerWidth]"
    assert browser.execute_script(wide) == [0, 1017]
    assert complaints(browser) == []
