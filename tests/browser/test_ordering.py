"""Orders as people give them, in a real Chromium: by buttons, dialogues, typing and keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from service.storage.database.database import Database
from service.storage.states import RunState, StudyState
from service.storage.studies import studies
from tests.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.browser.test_pages import complaints, wait_for, whole_page
from tests.browser.test_submitting import TEXT
from tests.workers.conftest import StartWorker, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as browser:
        yield browser


@pytest.mark.wide
def test_a_study_from_its_submission_to_its_deletion(
    browser: Chrome, unguarded: str, database: Database, tmp_path: Path, start_worker: StartWorker
) -> None:
    browser.get(f"{unguarded}/studies")
    browser.find_element(By.LINK_TEXT, "Submit").click()
    typed(browser, TEXT)
    wait_for(browser, lambda: "typed would have 3 trials of digits" in found(browser))
    browser.find_element(By.CSS_SELECTOR, ".below button").click()
    wait_for(browser, lambda: browser.current_url.partition("?")[0].endswith("/studies/typed"))
    assert said(browser) == "Submitted typed: its runs wait for workers."

    click(browser, "Pause")
    assert said(browser).startswith("Paused")
    assert studies.get(database, "typed").state == StudyState.PAUSED
    assert "Pause" not in shown(browser)
    click(browser, "Resume")
    assert said(browser).startswith("Resumed")
    assert studies.get(database, "typed").state == StudyState.RUNNING
    start_worker()
    until(lambda: studies.get(database, "typed").state == StudyState.COMPLETE, 120)

    browser.get(f"{unguarded}/studies/typed")
    assert "Pause" not in shown(browser)
    opened(browser, "Extend").send_keys(Keys.ESCAPE)  # the keys do what the mouse does
    wait_for(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, "dialog:popover-open"))
    browser.find_element(By.XPATH, "//button[text()='Extend']").send_keys(Keys.ENTER)
    field = wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, "dialog:popover-open [name=trials]"))
    field.clear()
    field.send_keys("4", Keys.ENTER)
    wait_for(browser, lambda: "Extended by 4 trials, to 7 in all." in said(browser))
    assert studies.get(database, "typed").definition.trials == 7
    until(lambda: studies.get(database, "typed").counts[RunState.COMPLETE] == 7, 120)

    opened(browser, "Delete").send_keys("type", Keys.ENTER)
    complaint = wait_for(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".complaint"))
    assert "typed must be the study's name, typed" in complaint.text
    whole_page(browser, tmp_path / "refused.png")
    field = browser.find_element(By.NAME, "typed")
    assert field.get_attribute("value") == "type"
    field.send_keys("d", Keys.ENTER)
    wait_for(browser, lambda: "Study typed is deleted" in said(browser))
    assert studies.count(database) == 0
    assert [each for each in complaints(browser) if "422" not in each] == []


def test_a_wrong_definition_shows_its_problems_while_it_is_typed(
    browser: Chrome, unguarded: str, tmp_path: Path, database: Database
) -> None:
    browser.get(f"{unguarded}/submit")
    wait_for(browser, lambda: "quickstart would have 40 trials" in found(browser))
    typed(browser, TEXT.replace("epochs", "epocs").replace("trials", "trails"))
    wait_for(browser, lambda: "line 2: task.epocs is no known field: did you mean epochs?" in found(browser))
    assert "line 6: budget.trails is no known field: did you mean trials?" in found(browser)
    assert [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#lines .flawed")] == ["2", "6"]
    whole_page(browser, tmp_path / "wrong.png")
    browser.find_element(By.LINK_TEXT, "line 6").click()
    selected = (
        "const text = document.getElementById('text'); return text.value.slice(text.selectionStart, text.selectionEnd)"
    )
    assert browser.execute_script(selected) == "budget: {trails: 3}"

    file = tmp_path / "study.yaml"
    file.write_text(TEXT.replace("typed", "from-a-file"))
    browser.find_element(By.ID, "file").send_keys(str(file))
    wait_for(browser, lambda: "from-a-file would have 3 trials" in found(browser))
    dropped(browser, TEXT.replace("typed", "dropped"))
    wait_for(browser, lambda: "dropped would have 3 trials" in found(browser))
    assert complaints(browser) == []
    assert studies.count(database) == 0


def test_the_form_and_the_text_say_the_same(browser: Chrome, unguarded: str) -> None:
    browser.get(f"{unguarded}/submit")
    wait_for(browser, lambda: "quickstart would have 40 trials" in found(browser))
    browser.find_element(By.CSS_SELECTOR, ".form summary").click()
    field = browser.find_element(By.NAME, "set.budget.trials")
    field.clear()
    field.send_keys("12", Keys.TAB)
    wait_for(browser, lambda: "quickstart would have 12 trials" in found(browser))
    text = browser.find_element(By.ID, "text").get_attribute("value") or ""
    assert "budget: {trials: 12}" in text
    assert "# the best of each variant again" in text
    assert browser.switch_to.active_element.get_attribute("name") == "set.repeats"  # typing goes on there
    browser.find_element(By.ID, "set-search_space-regularizer-choices-dropconnect").click()
    wait_for(browser, lambda: "choices: [dropout, gaussian_dropout, pernodedrop]" in value_of_text(browser))
    typed(browser, TEXT)
    wait_for(browser, lambda: browser.find_element(By.NAME, "set.budget.trials").get_attribute("value") == "3")
    assert not browser.find_elements(By.NAME, "set.search_space.units.choices")
    assert complaints(browser) == []


def value_of_text(browser: Chrome) -> str:
    return browser.find_element(By.ID, "text").get_attribute("value") or ""


def typed(browser: Chrome, text: str) -> None:
    field = browser.find_element(By.ID, "text")
    field.clear()
    field.send_keys(text)


def dropped(browser: Chrome, text: str) -> None:
    """Drop a file with this text on the page."""
    script = """
        const data = new DataTransfer();
        data.items.add(new File([arguments[0]], "study.yaml"));
        document.getElementById("text").dispatchEvent(
            new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
    """
    browser.execute_script(script, text)


def found(browser: Chrome) -> str:
    return browser.find_element(By.ID, "found").text


def said(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, ".notice").text


def shown(browser: Chrome) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".orders .button")]


def click(browser: Chrome, word: str) -> None:
    """Press the button, and wait until its page has come."""
    before = browser.current_url
    browser.find_element(By.XPATH, f"//button[text()='{word}']").click()
    wait_for(browser, lambda: browser.current_url != before)


def opened(browser: Chrome, word: str) -> WebElement:
    """The first field of the dialogue behind the button."""
    browser.find_element(By.XPATH, f"//button[text()='{word}']").click()
    return wait_for(
        browser, lambda: browser.find_element(By.CSS_SELECTOR, "dialog:popover-open input:not([type=hidden])")
    )
