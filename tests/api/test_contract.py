"""The published description and the controller agree: every route is called with what it takes and what it refuses."""

from collections.abc import Iterator

import pytest

from service.api.app import create_app
from tests.api.configuring import settings_for
from tests.api.contracted import ROUTES, SLOW, check
from tests.api.serving import served
from tests.databases import Databases

KEY = "a-key-for-the-contract"
HEADERS = {"X-API-Key": KEY}

FEW, MANY = 4, 12  # drawn cases of each kind


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
