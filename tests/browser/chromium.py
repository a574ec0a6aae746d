"""A headless Chromium with a profile of its own, that reaches nothing but this machine."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,1000",
)
PATIENCE_S = 60
TO_NEXT_CHART = """
const undrawn = document.querySelector(".chart > script");
if (undrawn) undrawn.parentElement.scrollIntoView();
return Boolean(undrawn);
"""


@contextmanager
def chromium(profile: Path, *, dark: bool = False) -> Iterator[Chrome]:
    """A browser whose profile lies in the folder."""
    assert CHROMIUM is not None and DRIVER is not None
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=ChromeService(executable_path=DRIVER))
    try:
        browser.set_page_load_timeout(120)
        if dark:
            feature = {"name": "prefers-color-scheme", "value": "dark"}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield browser
    finally:
        browser.quit()


def draw_all(browser: Chrome) -> None:
    """Come near to every chart, and wait until it is drawn: the scripts come after the words."""
    deadline = time.monotonic() + PATIENCE_S
    while browser.execute_script(TO_NEXT_CHART):
        assert time.monotonic() < deadline, "a chart is not drawn"
        browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 60))")
