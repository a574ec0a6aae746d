"""A real controller on a fresh database, with a key, and both clients of it."""

from collections.abc import Iterator

import pytest

from pernodedrop.client import Client
from service.api.app import create_app
from service.storage.database.database import Database
from tests.api.configuring import settings_for
from tests.api.serving import served

KEY = "a key for tests, ümlaut included"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def controller(database_url: str) -> Iterator[str]:
    with served(create_app(settings_for(database_url, api_key=KEY))) as address:
        yield address


@pytest.fixture
def client(controller: str) -> Iterator[Client]:
    with Client(controller, KEY) as client:
        yield client
