"""The description holds for every role: each route, called with and without a key, answers what it says it answers."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from search_spaces import parse_definition
from service.api.app import create_app
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.contracted import ROUTES, check
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.databases import Databases

KEY = "a-key-for-the-contract"

Caller = tuple[str, dict[str, str], Role | None]


@pytest.fixture(scope="module", params=[None, *Role], ids=lambda role: role or "no key")
def caller(request: pytest.FixtureRequest, databases: Databases, template_database: str) -> Iterator[Caller]:
    """A controller with a study, the headers of a caller, and its role."""
    role: Role | None = request.param
    with databases.fresh(template_database) as name:
        yield from _asking(databases.url(name), role)


def _asking(url: str, role: Role | None) -> Iterator[Caller]:
    with Database.open(url) as database:
        work(database, studies.create(database, parse_definition(definition_data())))
        secret = (
            None
            if role is None
            else keys.create(database, "me", role, by="tests", has_admin=True, task_modules=["mylab"])[1]
        )
    with served(create_app(settings_for(url, api_key=KEY))) as address:
        yield address, {} if secret is None else {"X-API-Key": secret}, role


@pytest.mark.wide
@pytest.mark.parametrize("route", ROUTES)
def test_every_role_gets_what_the_description_says(route: str, caller: Caller) -> None:
    address, headers, role = caller

    def answered(case: schemathesis.Case, answer: Any) -> None:
        if "security" in case.operation.definition.raw and role is None:
            assert answer.status_code in (400, 401, 404, 405), (case.operation.label, answer.status_code)

    check(route, 3, answered, base_url=address, headers=headers)
