"""Every refusal: the right status, one line that names rule and value, and nothing left behind."""

import json
import logging

import httpx
import pytest
import sqlalchemy as sa

from search_spaces.task_modules import TaskModules
from service.api.app import create_app
from service.storage.database.database import Database
from service.storage.database.tables import SCHEMA
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served

STUDY_ROUTES = [
    ("GET", ""),
    ("DELETE", ""),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/stop"),
    ("POST", "/trials/0/cancel"),
    ("GET", "/trials"),
    ("GET", "/trials/0"),
    ("GET", "/best"),
    ("GET", "/ranking"),
    ("GET", "/report"),
]


def test_an_invalid_definition_is_told_by_path_and_rule(api: httpx.Client) -> None:
    data = definition_data()
    data["search_space"]["drop_rate"] = {"type": "float", "low": 0.0, "high": 1.2}
    data["budget"]["trials"] = 0
    response = api.post("/v1/studies", json=data)
    assert response.status_code == 422
    body = response.json()
    assert body["error"] == "invalid_definition"
    paths = [problem["path"] for problem in body["problems"]]
    assert "budget.trials" in paths
    assert all(problem["message"].startswith(problem["path"]) for problem in body["problems"])
    assert "\n" not in body["message"]

    del data["budget"]
    data["budget"] = {"trials": 5}
    (problem,) = api.post("/v1/studies", json=data).json()["problems"]
    assert problem == {
        "path": "search_space.drop_rate.high",
        "message": "search_space.drop_rate.high must be below 1, got 1.2",
    }
    assert api.get("/v1/studies").json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "must be a JSON object, got a list"),
        (b'{"name": NaN}', "finite"),
        (b'{"name": 1e999}', "finite"),
        (b'{"name": "\xff"}', "line 1, column 11: the byte 0xff is no UTF-8"),
        (b'{"description": "\\ud800"}', "line 1, column 17: it holds half a character"),
        (b"[" * 100_000, "line 1, column 33: it must be at most 32 levels deep"),
        (b'{"name": ' + b"9" * 5000 + b"}", "line 1, column 10: a number must have at most 400 characters"),
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(lonely_api: httpx.Client, body: bytes, said: str) -> None:
    response = lonely_api.post("/v1/studies", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_json"
    assert said in response.json()["message"]


def test_a_form_of_a_foreign_page_is_no_json(lonely_api: httpx.Client) -> None:
    content = json.dumps(definition_data())
    response = lonely_api.post("/v1/studies", content=content, headers={"Content-Type": "text/plain"})
    assert response.status_code == 400
    assert "application/json" in response.json()["message"]


def test_a_taken_name_is_a_conflict(api: httpx.Client) -> None:
    assert api.post("/v1/studies", json=definition_data()).status_code == 201
    response = api.post("/v1/studies", json=definition_data())
    assert response.status_code == 409
    assert response.json()["error"] == "study_exists"
    assert "'digits-1'" in response.json()["message"]


def test_an_unknown_study_is_not_found(api: httpx.Client) -> None:
    for method, route in STUDY_ROUTES:
        response = api.request(method, f"/v1/studies/digits-9{route}")
        assert response.status_code == 404, (method, route)
        assert response.json() == {"error": "unknown_study", "message": "no study is named 'digits-9'"}


def test_an_unknown_study_is_not_changed(api: httpx.Client) -> None:
    for response in (
        api.patch("/v1/studies/digits-9", json={"priority": 1}),
        api.post("/v1/studies/digits-9/extend", json={"trials": 1}),
    ):
        assert (response.status_code, response.json()["error"]) == (404, "unknown_study")


def test_an_unknown_trial_and_an_unknown_preset_are_not_found(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data())
    assert api.get("/v1/studies/digits-1/trials/77").json()["error"] == "unknown_trial"
    assert api.post("/v1/studies/digits-1/trials/77/cancel").json()["error"] == "unknown_trial"
    assert api.get("/v1/presets/unheard-of").json()["error"] == "unknown_preset"
    assert api.get("/v1/presets/..%2F__init__").status_code == 404


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_one_mebibyte_is_refused(lonely_api: httpx.Client, chunked: bool) -> None:
    content = json.dumps(definition_data(description="x" * 1024 * 1024)).encode()
    parts = (content[i : i + 65536] for i in range(0, len(content), 65536))
    headers = {"Content-Type": "application/json"}
    response = lonely_api.post("/v1/studies", content=parts if chunked else content, headers=headers)
    assert response.status_code == 413
    assert response.json()["error"] == "body_too_large"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "offset=-1", "offset=99999999999999999999", "limit=%00"]
)
def test_limits_are_bounded(lonely_api: httpx.Client, query: str) -> None:
    response = lonely_api.get(f"/v1/studies?{query}")
    assert response.status_code == 422
    name = query.partition("=")[0]
    assert response.json()["problems"][0]["path"] == f"query.{name}"


@pytest.mark.parametrize("name", ["Upper", "a" * 64, "a%00", "%2E%2E", "-a", "a%0A"])
def test_a_name_that_no_study_can_have_is_refused(lonely_api: httpx.Client, name: str) -> None:
    assert lonely_api.get(f"/v1/studies/{name}").status_code == 422


def test_other_routes_and_methods_are_refused_in_the_same_shape(lonely_api: httpx.Client) -> None:
    missing = lonely_api.get("/v1/nothing")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
    wrong = lonely_api.put("/v1/studies")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"


def test_a_bug_is_an_incident_for_the_client_and_a_traceback_for_the_log(
    database_url: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.engine.begin() as connection:  # a column that the program counts on
        connection.execute(sa.text(f"ALTER TABLE {SCHEMA}.studies DROP COLUMN created_at"))
    with (
        caplog.at_level(logging.ERROR),
        served(create_app(settings_for(database_url))) as address,
    ):
        response = httpx.get(f"{address}/v1/studies")
    assert response.status_code == 500
    body = response.json()
    assert body["error"] == "internal_error"
    assert "created_at" not in response.text
    incident = body["message"].split("incident ")[1].split(":")[0]
    (record,) = [record for record in caplog.records if incident in record.getMessage()]
    assert record.exc_info is not None
    assert "created_at" in str(record.exc_info[1])


def test_a_task_of_a_module_that_is_not_allowed_is_refused(database_url: str) -> None:
    settings = settings_for(database_url, task_modules=TaskModules(("mylab.tasks",)))
    with served(create_app(settings)) as address:
        answers = {
            name: httpx.post(f"{address}/v1/studies", json=definition_data(task={"name": name, "epochs": 1}))
            for name in ("os:system", "mylab.tasks:Tumours")
        }
    assert answers["mylab.tasks:Tumours"].status_code == 201
    assert answers["os:system"].status_code == 422
    assert answers["os:system"].json()["problems"] == [
        {
            "path": "task.name",
            "message": "task.name module 'os' is not allowed here (allowed: mylab.tasks): "
            "add it to PERNODEDROP_TASK_MODULES or use another task",
        }
    ]
