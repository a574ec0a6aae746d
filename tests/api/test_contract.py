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

CASES = 12  # drawn of each kind


@pytest.fixture
def address(databases: Databases, worked: str) -> Iterator[str]:
    """A controller on a copy of the worked database."""
    with (
        databases.fresh(worked) as name,
        served(create_app(settings_for(databases.url(name), api_key=KEY))) as address,
    ):
        yield address


@pytest.mark.parametrize("route", [pytest.param(one, marks=pytest.mark.wide) if one in SLOW else one for one in ROUTES])
def test_the_controller_does_what_its_description_says(route: str, address: str) -> None:
    check(route, CASES, lambda _case, _answer: None, base_url=address, headers=HEADERS)
