"""Configurations that somebody chose, and the trials that a sampler knew, over REST."""

from typing import Any

import httpx

from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.fleet import definition_data, work

PATH = "/v1/studies/digits-1/trials"
DROPOUT = {"regularizer": "dropout", "drop_rate": 0.5, "units": 64}


def test_a_configuration_is_put_into_the_queue_once(api: httpx.Client) -> None:
    assert api.post(PATH, json={"params": DROPOUT}).json()["error"] == "unknown_study"
    api.post("/v1/studies", json=definition_data(trials=2))
    answer = api.post(PATH, json={"params": DROPOUT})
    assert answer.status_code == 201
    trial = answer.json()
    assert (trial["state"], trial["origin"], trial["params"]) == ("waiting", "given", DROPOUT)
    again = api.post(PATH, json={"params": DROPOUT, "outside": False})
    assert (again.status_code, again.json()["error"]) == (409, "not_enqueueable")
    outside = api.post(PATH, json={"params": {"regularizer": "none"}, "outside": True}).json()
    assert (outside["run"], outside["origin"], outside["variant"]) == (trial["run"] + 1, "outside", "none")
    full = api.post(PATH, json={"params": {"units": 32}})
    assert "`pernodedrop extend digits-1 --trials 1` adds one" in full.json()["message"]
    assert [one["origin"] for one in api.get(PATH).json()["trials"]] == ["given", "outside"]


def test_what_does_not_suit_is_refused_by_name(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"params": {"unit": 64}}, "params.unit is no dimension of the search space: did you mean units?"),
        ({"params": {**DROPOUT, "stir_type": "gaussian"}},
         'params.stir_type is searched only where regularizer is "pernodedrop", and it is "dropout": leave the '
         "parameter out"),
        ({"params": {}}, "params must give at least one parameter that the study does not fix, got none"),
        ({"params": {"drop_rate": 1.5}, "outside": True}, "params.drop_rate must be below 1, got 1.5"),
        ({"params": DROPOUT, "outsid": True}, "body.outsid is no field of this request, got true"),
    ]  # fmt: skip
    for body, message in cases:
        answer = api.post(PATH, json=body)
        assert (answer.status_code, answer.json()["message"]) == (422, message)


def test_a_study_says_what_its_sampler_knew(api: httpx.Client, database: Database) -> None:
    tpe = {"name": "tpe"}
    api.post("/v1/studies", json=definition_data("digits-0", trials=2))
    late = definition_data(sampler=tpe, start_from="digits-0")
    waits = api.post("/v1/studies", json=late)
    assert (waits.status_code, waits.json()["message"]) == (
        422,
        "start_from is study digits-0, of which no trial has ended with a result: wait for one, or leave it out",
    )
    work(database, studies.get(database, "digits-0"))
    api.post("/v1/studies", json=late).raise_for_status()
    api.delete("/v1/studies/digits-0")
    assert api.get("/v1/studies/digits-1").json()["starts_from"] == {"study": "digits-0", "trials": 2}
    gone = api.post("/v1/studies", json={**late, "name": "digits-2"}).json()
    assert gone["message"] == 'start_from must name a study of this service, got "digits-0": did you mean digits-1?'
