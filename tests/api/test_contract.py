"""The published description and the controller agree: every route is called with what it takes and what it refuses."""

from collections.abc import Iterator

import httpx
import pytest

from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.contracted import PATIENCE_S, ROUTES, check
from tests.api.fleet import definition_data, work
from tests.api.serving import served

KEY = "a-key-for-the-contract"
HEADERS = {"X-API-Key": KEY}


@pytest.fixture
def address(database_url: str) -> Iterator[str]:
    """A controller that has the study and the trial which the description's examples name."""
    with served(create_app(settings_for(database_url, api_key=KEY))) as address:
        made = httpx.post(f"{address}/v1/studies", json=definition_data(), headers=HEADERS, timeout=PATIENCE_S)
        made.raise_for_status()
        with Database.open(database_url) as database:
            work(database, studies.get(database, "digits-1"))
        yield address


SLOW = "POST /v1/studies/check"  # half a minute, and like POST /v1/studies


@pytest.mark.parametrize(
    "route", [pytest.param(route, marks=pytest.mark.wide) if route == SLOW else route for route in ROUTES]
)
def test_the_controller_does_what_its_description_says(route: str, address: str) -> None:
    check(route, 12, lambda _case, _answer: None, base_url=address, headers=HEADERS)
