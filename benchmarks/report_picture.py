"""The picture of a report in the README: the top of a page, by a headless Chromium.

pernodedrop run
python -m benchmarks.report_picture ~/.local/share/pernodedrop/reports/quickstart.html docs/images/report.png
"""

import argparse
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium

WIDTH, HEIGHT = 1184, 1500  # pixels


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__)
    parsed.add_argument("report", type=Path, help="the page")
    parsed.add_argument("picture", type=Path, help="the PNG")
    given = parsed.parse_args()
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.get(given.report.resolve().as_uri())
        if not browser.save_screenshot(str(given.picture)):
            raise OSError(f"{given.picture} could not be written")


if __name__ == "__main__":
    main()
