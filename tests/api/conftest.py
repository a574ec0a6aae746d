"""The controller as it is served: on a fresh database, or on none where it must not reach one."""

from collections.abc import Iterator

import httpx
import pytest

from service.api.app import create_app
from service.storage.database.database import Database
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture
def api(database_url: str) -> Iterator[httpx.Client]:
    """A client of a controller without a key, on loopback."""
    with served(create_app(settings_for(database_url))) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture(scope="session")
def lonely_api() -> Iterator[httpx.Client]:
    """A client of a controller without a key and without a database, which answers by itself."""
    with served(create_app(settings_for(NO_DATABASE))) as address, httpx.Client(base_url=address) as client:
        yield client
