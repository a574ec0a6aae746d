"""The published description and the controller agree: every route is called with what it takes and what it refuses."""

import uuid
from collections.abc import Iterator

import pytest

from search_spaces import parse_definition
from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.contracted import ROUTES, check
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.conftest import execute, named

KEY = "a-key-for-the-contract"
HEADERS = {"X-API-Key": KEY}

SLOW = (
    "POST /v1/studies",
    "POST /v1/studies/check",
)  # half a minute: a definition has many rules
FEW, MANY = 4, 12  # drawn cases of each kind


@pytest.fixture(scope="session")
def worked(postgres_urls: tuple[str, str], template_database: str) -> str:
    """A database to copy, with the study and the trial which the description's examples name."""
    execute(postgres_urls[0], f"CREATE DATABASE template_worked OWNER pernodedrop TEMPLATE {template_database}")
    with Database.open(named(postgres_urls[1], "template_worked")) as database:
        work(database, studies.create(database, parse_definition(definition_data())))
    return "template_worked"


@pytest.fixture
def address(postgres_urls: tuple[str, str], worked: str) -> Iterator[str]:
    """A controller on such a database."""
    name = f"test_{uuid.uuid4().hex}"
    execute(postgres_urls[0], f"CREATE DATABASE {name} OWNER pernodedrop TEMPLATE {worked}")
    with served(create_app(settings_for(named(postgres_urls[1], name), api_key=KEY))) as address:
        yield address
    execute(postgres_urls[0], f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in SLOW])
def test_the_controller_does_what_its_description_says(route: str, address: str) -> None:
    check(route, FEW, lambda _case, _answer: None, base_url=address, headers=HEADERS)


@pytest.mark.wide
@pytest.mark.parametrize("route", ROUTES)
def test_the_controller_does_so_in_many_cases(route: str, address: str) -> None:
    check(route, MANY, lambda _case, _answer: None, base_url=address, headers=HEADERS)
