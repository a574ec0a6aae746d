"""The published description and the controller agree: every route is called with what it takes and what it refuses."""

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
from tests.databases import Databases

KEY = "a-key-for-the-contract"
HEADERS = {"X-API-Key": KEY}

SLOW = (
    "POST /v1/studies",
    "POST /v1/studies/check",
)  # half a minute: a definition has many rules
FEW, MANY = 4, 12  # drawn cases of each kind


@pytest.fixture(scope="session")
def worked(databases: Databases, template_database: str) -> str:
    """A database to copy, with the study and the trial which the description's examples name."""
    name = databases.make("template_worked", template_database)
    with Database.open(databases.url(name)) as database:
        work(database, studies.create(database, parse_definition(definition_data())))
    return name


@pytest.fixture
def address(databases: Databases, worked: str) -> Iterator[str]:
    """A controller on such a database."""
    with (
        databases.fresh(worked) as name,
        served(create_app(settings_for(databases.url(name), api_key=KEY))) as address,
    ):
        yield address


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in SLOW])
def test_the_controller_does_what_its_description_says(route: str, address: str) -> None:
    check(route, FEW, lambda _case, _answer: None, base_url=address, headers=HEADERS)


@pytest.mark.wide
@pytest.mark.parametrize("route", ROUTES)
def test_the_controller_does_so_in_many_cases(route: str, address: str) -> None:
    check(route, MANY, lambda _case, _answer: None, base_url=address, headers=HEADERS)
