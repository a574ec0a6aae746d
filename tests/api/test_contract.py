"""The published description and the controller agree: every route is called with what it takes and what it refuses."""

from collections.abc import Iterator
from functools import cache

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.described import description
from tests.api.fleet import definition_data, work
from tests.api.serving import served

KEY = "a-key-for-the-contract"
HEADERS = {"X-API-Key": KEY}
SETTINGS = settings(
    max_examples=12,  # drawn for each route and kind, beyond those that the description itself gives rise to
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one database serves all calls of a route
)

# A word of an own loop names a lease, which no schema knows.
OWN_LOOP = [f"POST /v1/runs/{{run}}/{word}" for word in ("report", "renew", "tell")]

ROUTES = [f"{method.upper()} {path}" for path, methods in description()["paths"].items() for method in methods]


@pytest.fixture
def address(database_url: str) -> Iterator[str]:
    """A controller that has the study and the trial which the description's examples name."""
    with served(create_app(settings_for(database_url, api_key=KEY))) as address:
        httpx.post(f"{address}/v1/studies", json=definition_data(), headers=HEADERS, timeout=60).raise_for_status()
        with Database.open(database_url) as database:
            work(database, studies.get(database, "digits-1"))
        yield address


@pytest.mark.parametrize("route", ROUTES)
def test_the_controller_does_what_its_description_says(route: str, address: str) -> None:
    # Drawn here for one route: schemathesis' own mark draws every route's cases in each process that collects tests.
    method, path = route.split()
    check = build_operation_test(
        config=_contract().config,
        operation=_contract()[path][method],
        test_func=_is_as_described,
        explicit_settings=SETTINGS,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    check(address=address)


@cache
def _contract() -> BaseSchema:
    load_all_checks()
    contract = schemathesis.openapi.from_dict(description())
    contract.config.generation.update(with_security_parameters=False)  # the key is sent by us, and tested elsewhere
    return contract


def _is_as_described(case: schemathesis.Case, address: str) -> None:
    _keep_small(case)
    # A body of the right shape may still break a rule between its parts, which no JSON Schema can say.
    has_rules = case.operation.label in ("POST /v1/studies", "POST /v1/studies/{name}/trials", *OWN_LOOP)
    excluded = [positive_data_acceptance] if has_rules else []
    case.call_and_validate(base_url=address, headers=HEADERS, excluded_checks=excluded, timeout=60)


def _keep_small(case: schemathesis.Case) -> None:
    """A million waiting runs are a valid study, but not one to create or extend again and again."""
    if not isinstance(case.body, dict):
        return
    for budget in (case.body, case.body.get("budget")):
        if isinstance(budget, dict):
            trials = budget.get("trials")
            if type(trials) is int and 1000 < trials <= 1_000_000:
                budget["trials"] = 1000
