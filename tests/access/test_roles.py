"""Every route has a role, and who has a lower one is refused in one line, before anything else is looked at."""

import re
from typing import Any

import pytest

from service.api.roles import ROUTES, takes
from service.storage.access import deeds
from service.storage.access.roles import Role
from service.storage.database.database import Database
from tests.access.conftest import calling
from tests.api.described import description
from tests.api.fleet import definition_data

DESCRIBED = description()["paths"]
GUARDED = [
    (method.upper(), path, operation)
    for path, methods in DESCRIBED.items()
    for method, operation in methods.items()
    if "security" in operation
]
OPEN = {"GET /v1/health", "GET /v1/ready"}


def test_every_route_has_a_role_and_no_role_is_of_no_route() -> None:
    there = {f"{method.upper()} {path}" for path, methods in DESCRIBED.items() for method in methods}
    guarded = {f"{method} {path}" for method, path, _ in GUARDED}
    assert there - guarded == OPEN
    assert ROUTES.keys() <= guarded
    for method, path, operation in GUARDED:
        assert operation["x-role"] == takes(method, path).role
        assert "403" in operation["responses"], path
        assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}]


def test_a_route_that_changes_something_must_have_a_role() -> None:
    assert takes("GET", "/v1/new").role is Role.READ
    with pytest.raises(ValueError, match="POST /v1/new has no role: add it to ROUTES"):
        takes("POST", "/v1/new")


def test_each_role_on_every_route_gets_what_it_should(address: str, secrets: dict[Role, str], study: str) -> None:
    wrong = []
    for role, secret in secrets.items():
        with calling(address, secret) as client:
            for method, path, operation in GUARDED:
                response = client.request(method, filled(path, operation), **body_of(operation))
                needed = takes(method, path).role
                refused = response.status_code == 403
                if refused is role.includes(needed) or response.status_code in (401, 500):
                    wrong.append((role, method, path, response.status_code, response.text[:100]))
                if refused:
                    said = {"error": "not_allowed", "message": f"this takes the role {needed}, and {role}er has {role}"}
                    assert response.json() == said
    assert wrong == []


def filled(path: str, operation: dict[str, Any]) -> str:
    """The path of something that is not there, so that nobody's request changes what the next one finds."""
    for one in operation.get("parameters", []):
        example = one.get("example") or one["schema"].get("examples", ["x"])[0]
        path = path.replace(f"{{{one['name']}}}", "nobody" if one["name"] in ("name", "key") else str(example))
    return re.sub(r"\{\w+\}", "x", path)


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    return {"json": {}} if "requestBody" in operation else {}


def test_a_submitter_runs_only_own_tasks_of_its_modules(
    address: str, database: Database, secrets: dict[Role, str]
) -> None:
    own = {"search_space": {"drop_rate": {"type": "float", "low": 0.0, "high": 0.5}}, "budget": {"trials": 2}}
    with calling(address, secrets[Role.SUBMIT]) as submitter, calling(address, secrets[Role.ADMIN]) as admin:
        assert submitter.post("/v1/studies", json=definition_data("built-in")).status_code == 201
        mine = {**definition_data("mine"), **own, "task": {"name": "mylab.tasks:Mine"}}
        theirs = {**definition_data("theirs"), **own, "task": {"name": "mylabs.tasks:Theirs"}}
        assert submitter.post("/v1/studies", json=mine).status_code == 201, submitter.post(
            "/v1/studies", json=mine
        ).text
        for path in ("/v1/studies", "/v1/studies/check"):
            refused = submitter.post(path, json=theirs)
            assert refused.status_code == 403
            assert refused.json()["error"] == "task_not_allowed"
            assert "'submiter' may run own tasks of the modules mylab, not of 'mylabs.tasks'" in refused.text
        assert admin.post("/v1/studies", json=theirs).status_code == 201
        for order, body in (("extend", {"trials": 1}), ("resume", None), ("retry", {"trials": None})):
            assert submitter.post(f"/v1/studies/theirs/{order}", json=body).status_code == 403, order
        assert submitter.post("/v1/studies/mine/extend", json={"trials": 1}).status_code == 200
        assert submitter.post("/v1/studies/theirs/pause").status_code == 200  # this runs nothing
    assert [(one.caller, one.deed) for one in deeds.page(database, "theirs", 10, 0)[0]] == [
        ("submiter", "pause"),
        ("adminer", "submit"),
    ]
