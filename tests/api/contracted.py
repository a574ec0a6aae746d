"""Calls a route with what its description takes and refuses, as schemathesis draws it."""

from collections.abc import Callable
from functools import cache
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.api.described import description

ROUTES = [f"{method.upper()} {path}" for path, methods in description()["paths"].items() for method in methods]
SLOW = (
    "POST /v1/studies",
    "POST /v1/studies/check",
)  # half a minute: a definition has many rules
PATIENCE_S = 60.0  # for an answer of a busy machine

# What is right in shape may still break a rule between its parts, which no JSON Schema can say; a word of an own loop
# names a lease, and a filter a variant, which no schema knows.
_OWN_LOOP = [f"POST /v1/runs/{{run}}/{word}" for word in ("report", "renew", "tell")]
_DEFINITIONS = [f"POST /v1/studies{rest}" for rest in ("", "/check", "/{name}/trials")]
_CHANGES = (
    "PATCH /v1/studies/{name}",
    "POST /v1/webhooks",
)  # something must be changed, at an address that may be told
_HAVE_RULES = (*_DEFINITIONS, *_CHANGES, "GET /v1/studies/{name}/trials", *_OWN_LOOP)
_TAKE_ANY_WORD = ("GET /v1/studies",)  # a word that a query has instead of null is a tag
_MAY_BE_A_NAME = ("POST /v1/studies/check",)  # GET of this address is of the study that is called `check`


def check(route: str, examples: int, answered: Callable[[schemathesis.Case, Any], None], **calling: Any) -> None:
    """Calls the route with `examples` drawn cases of each kind, beyond those of the description itself.

    `calling` is how; `answered` is called with each case and its answer. Drawn here for one route: schemathesis' own
    mark draws every route's cases in each process that collects tests.
    """
    method, path = route.split()

    def call(case: schemathesis.Case) -> None:
        _keep_small(case)
        label = case.operation.label
        excluded = [positive_data_acceptance] if label in _HAVE_RULES else []
        if label in _MAY_BE_A_NAME:
            excluded.append(allow_header_conformance)
        if label in _TAKE_ANY_WORD:
            excluded.append(negative_data_rejection)
        answered(case, case.call_and_validate(excluded_checks=excluded, timeout=PATIENCE_S, **calling))

    build_operation_test(
        config=_contract().config,
        operation=_contract()[path][method],
        test_func=call,
        explicit_settings=settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.function_scoped_fixture],  # one database serves all calls of a route
        ),
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


@cache
def _contract() -> BaseSchema:
    load_all_checks()
    contract = schemathesis.openapi.from_dict(description())
    contract.config.generation.update(with_security_parameters=False)  # the key is sent by us
    return contract


def _keep_small(case: schemathesis.Case) -> None:
    """A million waiting runs are a valid study, but not one to create or extend again and again."""
    if not isinstance(case.body, dict):
        return
    for budget in (case.body, case.body.get("budget")):
        if isinstance(budget, dict):
            trials = budget.get("trials")
            if type(trials) is int and 1000 < trials <= 1_000_000:
                budget["trials"] = 1000
