"""The pictures of the dashboard in the documentation.

    python -m benchmarks.pictures docs/images/tour [--controller URL --dashboard URL]

Starts the service in a home of its own, submits a handful of studies on small built-in data, lets two workers train
them, and takes a picture of each page in both themes: NAME-light.webp and NAME-dark.webp. With the two addresses it
looks at a service that `home.fill` has filled before. It takes some ten minutes on two cores.
"""

import argparse
import tempfile
from base64 import b64decode
from pathlib import Path

from benchmarks.pictures import home
from benchmarks.pictures.taking import THEMES, Camera
from pernodedrop.client import Client
from tests.browser.chromium import chromium


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsed.add_argument("out", type=Path, help="the folder of the pictures")
    parsed.add_argument("--controller", help="of a service that is filled already")
    parsed.add_argument("--dashboard", help="of the same service")
    given = parsed.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.controller and given.dashboard:
        _take(given.out, given.controller, given.dashboard)
        return
    with tempfile.TemporaryDirectory(prefix="pernodedrop-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user where this runs as root
        with home.serving(Path(folder)) as (controller, dashboard):
            with Client(controller) as client:
                home.fill(client)
            _take(given.out, controller, dashboard)


def _take(out: Path, controller: str, dashboard: str) -> None:
    with Client(controller) as client:
        pages = home.pages(client)
    for theme in THEMES:
        with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), dark=theme == "dark") as browser:
            camera = Camera(browser)
            for name, page in pages.items():
                file = out / f"{name}-{theme}.webp"
                file.write_bytes(b64decode(camera.picture(f"{dashboard}/{page.path}", page.at)))
                print(f"{file.name:<24} {file.stat().st_size / 1000:6.1f} kB", flush=True)


if __name__ == "__main__":
    main()
