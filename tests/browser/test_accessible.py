"""axe-core has no finding on any page of ours, in both themes, on a telephone and on a desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from service.reports import Results, html_report
from service.storage.records import StudyRecord
from tests.browser.axe import findings
from tests.browser.chromium import CHROMIUM, DRIVER, chromium, draw_all
from tests.reports.samples import searched

pytestmark = [
    pytest.mark.browser,
    pytest.mark.wide,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium here"),
]
WIDTHS = (390, 1280)
# A page is one line: its name, and its address on a dashboard without a key that has the study `digits-1`.
PAGES = {
    "list": "/studies",
    "study": "/studies/digits-1",
    "trials": "/studies/digits-1/trials",
    "trial": "/studies/digits-1/trials/0",
    "audit": "/studies/digits-1/audit",
    "links": "/studies/digits-1/links",
    "order": "/studies/digits-1/orders/extend",
    "share": "/studies/digits-1/orders/share",
    "key": "/access/orders/create",
    "compare": "/compare",
    "fleet": "/fleet",
    "submit": "/submit",
    "access": "/access",
    "error": "/studies/none",
}


@pytest.fixture(params=["light", "dark"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile", dark=request.param == "dark") as browser:
        yield browser


@pytest.fixture
def addresses(unguarded: str, guarded: str, study: StudyRecord, tmp_path: Path) -> dict[str, str]:
    """Every page's address, the login's and the report file's too."""
    report = tmp_path / "report.html"
    report.write_text(html_report(Results(*searched(40, repeats=3))), encoding="utf-8")
    ours = {name: unguarded + path for name, path in PAGES.items()}
    return ours | {"login": f"{guarded}/login", "report file": report.as_uri()}


def test_no_page_has_a_finding(browser: Chrome, addresses: dict[str, str]) -> None:
    found = {}
    for width in WIDTHS:
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for name, address in addresses.items():
            browser.get(address)
            draw_all(browser)
            found[name, width] = findings(browser)
    told = [f"{name} at {width}: {one}" for (name, width), said in found.items() for one in said]
    assert not told, "\n".join(told)


def test_axe_finds_what_it_is_there_for(browser: Chrome, addresses: dict[str, str]) -> None:
    browser.get(addresses["list"])
    browser.execute_script(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<button></button><img src=\"data:,\">')"
    )
    assert {line.split()[0] for line in findings(browser)} >= {"button-name", "image-alt"}
