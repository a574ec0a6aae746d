import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.api.app import create_app
from service.cli import main
from service.client import Client
from service.settings import Settings
from tests.api.serving import served

Start = Callable[..., subprocess.Popen[str]]
KEY = "a key for tests, ümlaut included"


@pytest.fixture
def controller(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a real controller that requires KEY; it has no worker."""
    settings = Settings(home=tmp_path, data_folder=tmp_path, database_url=database_url, api_key=KEY)
    with served(create_app(settings)) as address:
        yield address


@pytest.fixture
def client(controller: str) -> Iterator[Client]:
    with Client(controller, KEY) as client:
        yield client


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the variables that the program reads, and a home of its own."""
    for name in ("DATABASE_URL", "PERNODEDROP_API_KEY", "PERNODEDROP_URL", "PERNODEDROP_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PERNODEDROP_HOME", str(tmp_path / "home"))


@pytest.fixture
def command(
    no_environment: None, monkeypatch: pytest.MonkeyPatch, controller: str, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line against the controller; returns exit code, stdout and stderr."""
    monkeypatch.setenv("PERNODEDROP_URL", controller)
    monkeypatch.setenv("PERNODEDROP_API_KEY", KEY)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def home() -> Iterator[Path]:
    """An open folder: pytest's tmp_path is closed to the account that root hands Postgres to."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts a command line in `home`, in its own process group; what still runs at the end is told to stop."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        unset = {"DATABASE_URL", "PERNODEDROP_API_KEY", "PERNODEDROP_DATA", "PERNODEDROP_URL"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"PERNODEDROP_HOME": str(home), "PYTHONUNBUFFERED": "1", **variables}
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.terminate()
            process.communicate()
