"""What a reader's browser loads for the dashboard's pages, and when it shows something.

    python -m benchmarks.page_weight [--trials 24] [--busy 2]

A Postgres of its own gets a study with that many trials that a formula has trained. Headless Chromium opens the list
and the study's page twice: with an empty cache, then again. Each row is a view: kB that came over the network, the
requests that were not answered from the cache, and the first paint of content in ms, with that many processes that
keep a core busy beside it.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome

from search_spaces import parse_definition
from service.dashboard import create_app
from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.browser.chromium import chromium

NAME = "digits-1"
PAGES = ("studies", f"studies/{NAME}")
SETTLED_S = 3.0
LOADED = """
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return JSON.stringify({
        paint: paint ? paint.startTime : null,
        bytes: all.reduce((sum, one) => sum + one.transferSize, 0),
        requests: all.filter((one) => one.transferSize > 0).length,
    });
"""


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsed.add_argument("--trials", type=int, default=24)
    parsed.add_argument("--busy", type=int, default=0, help="processes that keep a core busy")
    given = parsed.parse_args()
    with tempfile.TemporaryDirectory() as folder, _dashboard(Path(folder), given.trials) as address:
        print(f"{'page':<20} {'view':<7} {'kB':>7} {'requests':>9} {'first content':>14}")
        with chromium(Path(folder) / "profile") as browser, _busy(given.busy):
            browser.get("about:blank")
            for view in ("first", "second"):
                for page in PAGES:
                    print(_row(browser, address, page, view))


def _row(browser: Chrome, address: str, page: str, view: str) -> str:
    browser.get(f"{address}/{page}")
    time.sleep(SETTLED_S)
    found = json.loads(browser.execute_script(LOADED))
    shown = f"{found['paint']:.0f} ms" if found["paint"] is not None else "none"
    return f"{page:<20} {view:<7} {found['bytes'] / 1000:>7.1f} {found['requests']:>9} {shown:>14}"


@contextmanager
def _dashboard(folder: Path, trials: int) -> Iterator[str]:
    """The address of a dashboard that has a study with so many trials."""
    folder.chmod(0o755)  # the server runs as another user where this runs as root
    server = EmbeddedPostgres(folder / "postgres")
    url = server.start()
    try:
        initialise(url)
        with Database.open(url) as database:
            work(database, studies.create(database, parse_definition(definition_data(NAME, trials))))
        with served(create_app(settings_for(url))) as address:
            yield address
    finally:
        server.release()


@contextmanager
def _busy(count: int) -> Iterator[None]:
    processes = [multiprocessing.get_context("spawn").Process(target=_work, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def _work() -> None:
    while True:
        sum(range(100_000))


if __name__ == "__main__":
    main()
