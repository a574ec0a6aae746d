"""One engine and one fleet for all tests of the containers; skipped in one line where there can be none."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .base_images import make_base_images
from .commands import OutOfReach
from .debian import fetch_programs
from .engine import Engine, PrivateEngine, running_engine
from .fleet import Fleet

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pernodedrop" / "containers"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why there are no containers once, not once a test: `make test-containers` turns pytest's own list off."""
    skipped = terminalreporter.getreports("skipped")
    for reason in sorted({report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}):
        if reason.startswith("Skipped: containers:"):
            terminalreporter.line(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The Docker engine that runs here, or a private one with stand-ins for the base images."""
    running = running_engine()
    if running is not None:
        yield running
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("containers: no Docker engine with the compose plugin here, and making one takes root and apt")
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-engine-"))
    try:
        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two engines must not share their images
            yield from _private_engine(folder)
    finally:
        shutil.rmtree(folder)


def _private_engine(folder: Path) -> Iterator[Engine]:
    programs = CACHE / "programs"
    try:
        mirror = (programs / "mirror").read_text() if programs.exists() else fetch_programs(programs)
        with PrivateEngine(programs, CACHE / "engine", folder) as engine:
            make_base_images(engine, programs, mirror, CACHE)
            yield engine
    except OutOfReach as error:
        pytest.skip(f"containers: {error}")


@pytest.fixture(scope="session")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The compose project, not yet up."""
    name = "pernodedrop-test" if engine.stands_in else f"pernodedrop-test-{os.getpid()}"
    return Fleet(engine, name, tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="session")
def fleet(project: Fleet) -> Iterator[Fleet]:
    """The whole fleet with one worker, built from this tree; gone without a trace afterwards."""
    project.down()  # what a killed session may have left in a private engine
    try:
        project.up(workers=1)
        yield project
    finally:
        project.down()
