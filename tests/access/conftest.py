"""Servers on a fresh database that has a key for each role, and a study."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from search_spaces import parse_definition
from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web import keyring
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served

OPERATOR = "the operator's key ü"
HTML = {"Accept": "text/html"}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def secrets(database: Database) -> dict[Role, str]:
    """A key of each role; its name is that of the role. The one that submits may use own tasks of `mylab`."""
    first_the_admin = reversed(Role)
    return {
        role: keys.create(database, f"{role}er", role, by="tests", task_modules=["mylab"])[1]
        for role in first_the_admin
    }


@pytest.fixture
def study(database: Database) -> str:
    """The name of a study that waits for workers."""
    return studies.create(database, parse_definition(definition_data())).name


@pytest.fixture
def address(database_url: str) -> Iterator[str]:
    """A controller with the operator's key beside those of the database."""
    with served(create_app(settings_for(database_url, api_key=OPERATOR))) as address:
        yield address


@pytest.fixture
def pages(database_url: str) -> Iterator[str]:
    """A dashboard in the same way."""
    with served(create_dashboard(settings_for(database_url, api_key=OPERATOR))) as address:
        yield address


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look-up asks the database, as servers do whose last answer is older than `KEPT_S`."""
    monkeypatch.setattr(keyring, "KEPT_S", 0.0)


def calling(address: str, key: str) -> httpx.Client:
    """A client with this key."""
    return httpx.Client(base_url=address, headers={"X-API-Key": key.encode()}, timeout=60)


@contextmanager
def visiting(address: str, key: str) -> Iterator[httpx.Client]:
    """A browser's client that has logged in with this key."""
    with httpx.Client(base_url=address, headers=HTML, timeout=60) as visitor:
        response = visitor.post("/login", data={"key": key})
        assert response.status_code == 303, response.text
        yield visitor
