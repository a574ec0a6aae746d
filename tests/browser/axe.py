"""axe-core in a browser: what keeps people from using a page."""

import json
from functools import cache
from importlib.resources import files

from selenium.webdriver import Chrome

RUN = """
    const done = arguments[arguments.length - 1];
    axe.run(document, {resultTypes: ["violations"]}).then(
        (found) => done(JSON.stringify(found.violations)), (error) => done(JSON.stringify([{id: String(error)}])));
"""


def findings(browser: Chrome) -> list[str]:
    """Each rule that the page breaks, with the first elements that break it."""
    browser.execute_script(_axe())
    return [_line(found) for found in json.loads(browser.execute_async_script(RUN))]


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def _line(found: dict[str, object]) -> str:
    nodes = found.get("nodes", [])
    assert isinstance(nodes, list)
    where = "; ".join(f"{node['html'][:120]} {node['failureSummary']}" for node in nodes[:3])
    return f"{found['id']} ({len(nodes)}): {where}"
