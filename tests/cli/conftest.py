from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.api.app import create_app
from service.cli import main
from service.client import Client
from service.settings import Settings
from tests.api.serving import served

KEY = "a key for tests, ümlaut included"


@pytest.fixture
def controller(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a real controller that asks for KEY; it has no worker."""
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
