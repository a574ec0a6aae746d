"""Lists of runs by state, variant, values and order, a page at a time, with a worker's real trials."""

from typing import Any

import httpx

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data, work

TRIALS = 12


def listed(api: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    page = api.get("/v1/studies/digits-1/trials", params=wanted).json()
    assert page["total"] >= len(page["trials"])
    trials: list[dict[str, Any]] = page["trials"]
    return trials


def test_runs_are_filtered_sorted_and_paged(api: httpx.Client, database: Database) -> None:
    study = studies.create(database, parse_definition(definition_data(trials=TRIALS)))
    work(database, study, {2: RunState.FAILED, 5: RunState.PRUNED}, limit=TRIALS - 1)
    every = listed(api)
    assert len(every) == TRIALS
    ended = [one for one in every if one["values"]]
    assert [one["number"] for one in listed(api, sort="value")][: len(ended)] == [
        one["number"] for one in sorted(ended, key=lambda one: one["values"][0])
    ]
    assert listed(api, sort="value")[-1]["values"] is None
    assert listed(api, sort="number", descending=True)[0]["number"] == TRIALS - 2
    sorted_ones = listed(api, sort="drop_rate")
    pages = [one for offset in range(0, TRIALS, 5) for one in listed(api, sort="drop_rate", limit=5, offset=offset)]
    assert pages == sorted_ones
    for where, holds in {
        "drop_rate>=0.4": lambda params: params["drop_rate"] >= 0.4,
        "regularizer!=dropout,units<128": lambda params: params["regularizer"] != "dropout" and params["units"] < 128,
        "stir_type=gaussian": lambda params: params.get("stir_type") == "gaussian",
        "regularizer>3": lambda params: False,
    }.items():
        numbers = [one["number"] for one in listed(api, where=where)]
        assert numbers == [one["number"] for one in every if one["params"] and holds(one["params"])], where
    both = listed(api, variant="pernodedrop")
    assert [one for one in every if one["variant"].startswith("pernodedrop")] == both
    assert [one["number"] for one in listed(api, state="failed", sort="value")] == [2]
    assert listed(api, stage="confirmation") == []


def test_what_cannot_be_listed_is_refused_in_a_line(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data()).raise_for_status()
    for wanted, rule in (
        ({"where": "drop_rate ~ 3"}, "a condition is like drop_rate>=0.3"),
        ({"where": "unit=3"}, "did you mean units?"),
        ({"sort": "x" * 64}, "choose one of number, value"),
    ):
        answer = api.get("/v1/studies/digits-1/trials", params=wanted)
        assert answer.status_code == 422
        assert rule in answer.json()["message"]
