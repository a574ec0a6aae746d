"""Takes pictures of pages when all that they draw is drawn."""

import time
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

ROOT = Path(__file__).parents[2]
THEMES = ("light", "dark")
WIDTH, HEIGHT, QUALITY = 1280, 860, 70  # pixels, and of 100
PATIENCE_S = 60.0
UNDRAWN = """
    const undrawn = document.querySelector(".chart > script");
    if (undrawn) undrawn.parentElement.scrollIntoView();
    return Boolean(undrawn);
"""
# Tracebacks name the folder of this checkout, which is nobody else's.
ELSEWHERE = """
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.data.includes(arguments[0])) node.data = node.data.replaceAll(arguments[0], arguments[1]);
    }
"""
SCROLL = """
    const all = [...document.querySelectorAll("h1, h2, h3")];
    const found = all.find((one) => one.textContent.trim() === arguments[0]);
    if (found) scrollTo(0, Math.max(0, found.getBoundingClientRect().top + scrollY - 24));
    return Boolean(found);
"""


class Camera:
    """A browser's view of a page."""

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})

    def picture(self, address: str, at: str | None) -> str:
        """A WebP of the page in base64, from its top or from the heading `at`.

        Raises:
            LookupError: the page has no such heading.
        """
        self._browser.get(address)
        deadline = time.monotonic() + PATIENCE_S
        while self._browser.execute_script(UNDRAWN) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._browser.execute_script("scrollTo(0, 0)")
        self._browser.execute_script(ELSEWHERE, str(ROOT), "/opt/pernodedrop")
        if at is not None and not self._browser.execute_script(SCROLL, at):
            raise LookupError(f"{address} has no heading {at!r}")
        time.sleep(1.5)  # for what moves
        shot: dict[str, Any] = self._browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
        )
        return str(shot["data"])
