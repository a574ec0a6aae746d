"""The description holds for every role: each route, called with and without a key, answers what it says it answers."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from service.api.app import create_app
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.database.database import Database
from tests.api.configuring import settings_for
from tests.api.contracted import ROUTES, SLOW, check
from tests.api.serving import served
from tests.databases import Databases

KEY = "a-key-for-the-contract"

Caller = tuple[str, dict[str, str], Role | None]


@pytest.fixture(scope="module", params=[None, *Role], ids=lambda role: role or "no key")
def caller(request: pytest.FixtureRequest, databases: Databases, worked: str) -> Iterator[Caller]:
    """A controller with a study, the headers of a caller, and its role."""
    role: Role | None = request.param
    with databases.fresh(worked) as name:
        headers = {} if role is None else {"X-API-Key": _key_of(databases.url(name), role)}
        with served(create_app(settings_for(databases.url(name), api_key=KEY))) as address:
            yield address, headers, role


def _key_of(url: str, role: Role) -> str:
    with Database.open(url) as database:
        return keys.create(database, "me", role, by="tests", has_admin=True, task_modules=["mylab"])[1]


@pytest.mark.wide
@pytest.mark.parametrize("route", ROUTES)
def test_every_role_gets_what_the_description_says(route: str, caller: Caller) -> None:
    address, headers, role = caller
    if route in SLOW and role not in (None, Role.ADMIN):
        pytest.skip("a body is read alike for every role")

    def answered(case: schemathesis.Case, answer: Any) -> None:
        if "security" in case.operation.definition.raw and role is None:
            assert answer.status_code in (400, 401, 404, 405), (case.operation.label, answer.status_code)

    check(route, 3, answered, base_url=address, headers=headers)
