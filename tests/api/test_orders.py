"""Orders to a study, a trial and a worker over REST: priority, extension, cancellation, draining."""

import uuid

import httpx
import pytest
import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data, work


def test_a_priority_is_taken_from_the_definition_and_changed(api: httpx.Client) -> None:
    assert api.post("/v1/studies", json=definition_data(priority=-3)).json()["priority"] == -3
    changed = api.patch("/v1/studies/digits-1", json={"priority": 40})
    assert (changed.status_code, changed.json()["priority"]) == (200, 40)
    study = api.get("/v1/studies/digits-1").json()
    assert (study["priority"], study["definition"]["priority"]) == (40, -3)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"priority": 101}, "body.priority"),
        ({"priority": "1"}, "body.priority"),
        ({"priority": True}, "body.priority"),
        ({}, "body"),
        ({"priority": 1, "name": "x"}, "body.name"),
    ],
)
def test_a_priority_out_of_bounds_is_refused(lonely_api: httpx.Client, body: dict[str, object], path: str) -> None:
    response = lonely_api.patch("/v1/studies/digits-1", json=body)
    assert response.status_code == 422
    [problem] = response.json()["problems"]
    assert problem["path"] == path


def test_a_refusal_names_the_rule_and_the_value(lonely_api: httpx.Client) -> None:
    response = lonely_api.patch("/v1/studies/digits-1", json={"priority": 101})
    assert response.json()["message"] == "body.priority must be at most 100, got 101"


@pytest.mark.parametrize(("method", "route"), [("PATCH", ""), ("POST", "/extend")])
def test_a_change_that_is_no_json_object_is_a_bad_request(lonely_api: httpx.Client, method: str, route: str) -> None:
    as_json = {"Content-Type": "application/json"}
    response = lonely_api.request(method, f"/v1/studies/digits-1{route}", content=b"[1]", headers=as_json)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_json")


def test_a_finished_study_is_extended_and_searched_again(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=2))
    work(database, studies.get(database, "digits-1"))
    assert api.get("/v1/studies/digits-1").json()["state"] == "complete"
    extended = api.post("/v1/studies/digits-1/extend", json={"trials": 3}).json()
    assert (extended["state"], extended["budget"]["trials"], extended["counts"]["waiting"]) == ("running", 5, 3)
    work(database, studies.get(database, "digits-1"))
    study = api.get("/v1/studies/digits-1").json()
    assert (study["state"], study["counts"]["complete"]) == ("complete", 5)
    assert study["budget"]["spent_s"] > 0
    assert [t["number"] for t in api.get("/v1/studies/digits-1/trials").json()["trials"]] == list(range(5))


def test_an_extension_whose_answer_was_lost_can_be_repeated(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data(trials=4))
    order = {"trials": 3, "seen": 4}
    assert api.post("/v1/studies/digits-1/extend", json=order).json()["budget"]["trials"] == 7
    again = api.post("/v1/studies/digits-1/extend", json=order)
    assert again.status_code == 409
    assert "it had 4 trials when you looked, and has 7 now" in again.json()["message"]
    assert api.get("/v1/studies/digits-1").json()["budget"]["trials"] == 7


def test_a_stopped_study_is_not_extended(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data())
    api.post("/v1/studies/digits-1/stop")
    refused = api.post("/v1/studies/digits-1/extend", json={"trials": 3})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_extendable")
    assert "stopped for good" in refused.json()["message"]
    assert api.post("/v1/studies/digits-1/extend", json={"trials": 0}).status_code == 422


def test_a_finished_study_is_confirmed(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=2))
    work(database, studies.get(database, "digits-1"))
    response = api.post("/v1/studies/digits-1/confirmation", json={"repeats": 2})
    confirmed = response.json()
    assert (response.status_code, confirmed["state"], confirmed["confirmation"]["waiting"]) == (200, "running", 2)
    listed = api.get(response.url.join(response.headers["Location"])).json()
    assert (listed["total"], listed["trials"][0]["stage"]) == (2, "confirmation")
    refused = api.post("/v1/studies/digits-1/confirmation", json={"indifference": 0.1})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_confirmable")
    wrong = api.post("/v1/studies/digits-1/confirmation", json={"top": 0, "repeats": 2})
    assert (wrong.status_code, wrong.json()["message"]) == (422, "body.top must be at least 1, got 0")


def test_limits_are_shown_with_the_budget(api: httpx.Client) -> None:
    budget = {"trials": 6, "device_time": "2h", "patience": 5}
    api.post("/v1/studies", json=definition_data(budget=budget))
    shown = api.get("/v1/studies/digits-1").json()["budget"]
    assert (shown["device_time_s"], shown["patience"], shown["spent_s"]) == (7200, 5, 0)


def test_a_trial_tells_its_history_and_is_cancelled(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=3))
    work(database, studies.get(database, "digits-1"), limit=1)
    trial = api.get("/v1/studies/digits-1/trials/0").json()
    [attempt] = trial["history"]
    assert (attempt["number"], attempt["state"], attempt["worker"]) == (1, "complete", "node-1:4711")
    assert attempt["ended_at"] is not None
    ended = api.post("/v1/studies/digits-1/trials/0/cancel")
    assert (ended.status_code, ended.json()["error"]) == (409, "trial_ended")
    lease = claiming.claim(database, workers.register(database, "node-2", 1, "cpu"), 60)
    assert lease is not None
    trial_id = database.optuna.create_new_trial(studies.get(database, "digits-1").optuna_study_id)
    holding.attach(database, lease, trial_id, 1)
    cancelled = api.post("/v1/studies/digits-1/trials/1/cancel").json()
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled by hand")
    assert database.optuna.get_trial(trial_id).state.name == "FAIL"
    assert api.get("/v1/studies/digits-1/trials/1").json()["history"][0]["state"] == "cancelled"


def test_a_worker_is_asked_to_leave(api: httpx.Client, database: Database) -> None:
    worker = workers.register(database, "node-1", 4711, "cpu")
    assert workers.check_in(database, worker)
    assert api.post(f"/v1/workers/{worker}/drain").status_code == 204
    assert api.get("/v1/workers").json()["workers"][0]["state"] == "leaving"
    assert not workers.check_in(database, worker)
    workers.leave(database, worker)
    for gone in (worker, str(uuid.uuid4())):
        unknown = api.post(f"/v1/workers/{gone}/drain")
        assert (unknown.status_code, unknown.json()["error"]) == (404, "unknown_worker")


def test_a_study_whose_trials_all_failed_has_failed_everywhere(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=2))
    work(database, studies.get(database, "digits-1"), dict.fromkeys(range(2), RunState.FAILED))
    study = api.get("/v1/studies/digits-1").json()
    assert study["state"] == "failed"
    assert study["failure"].startswith("no trial is complete (2 failed): all of 2 failed alike: ")
    assert api.get("/v1/studies").json()["studies"][0]["failure"] == study["failure"]
    assert "Nothing can be concluded: no trial is complete (2 failed)" in api.get("/v1/studies/digits-1/report").text
    refused = api.post("/v1/studies/digits-1/confirmation", json={})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_confirmable")
    for order in ("pause", "resume", "stop"):
        refused = api.post(f"/v1/studies/digits-1/{order}")
        assert (refused.status_code, refused.json()["error"]) == (409, "illegal_transition")
    assert api.post("/v1/studies/digits-1/extend", json={"trials": 1}).json()["state"] == "running"


def test_a_resumption_that_can_do_nothing_is_refused_with_the_limit(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data())
    work(database, studies.get(database, "digits-1"), limit=1)
    with database.engine.begin() as connection:  # paused before anybody looked at the limit
        connection.execute(sa.text("UPDATE fleet.studies SET started_at = now() - interval '2 hours'"))
        limit = "jsonb_set(definition, '{budget,wall_time}', '3600')"
        connection.execute(sa.text(f"UPDATE fleet.studies SET definition = {limit}"))
    api.post("/v1/studies/digits-1/pause")
    refused = api.post("/v1/studies/digits-1/resume")
    assert (refused.status_code, refused.json()["error"]) == (409, "not_resumable")
    assert "wall time used up; submit it under another name" in refused.json()["message"]
