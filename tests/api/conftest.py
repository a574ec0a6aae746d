"""The controller as it is served: on a fresh database, or on none where it must not reach one."""

from collections.abc import Iterator

import httpx
import pytest

from search_spaces import parse_definition
from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.databases import Databases


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def worked(databases: Databases, template_database: str) -> str:
    """A database to copy, with the study and the trial which the description's examples name."""
    name = databases.make("template_worked", template_database)
    with Database.open(databases.url(name)) as database:
        work(database, studies.create(database, parse_definition(definition_data())))
    return name


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
