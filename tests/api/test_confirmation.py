"""The runs of a confirmation over REST, by place."""

import httpx
import pytest

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint
from service.storage.runs import claiming, holding
from service.storage.studies import studies
from tests.api.fleet import EPOCHS, definition_data, work

RUNS = "/v1/studies/digits-1/confirmation"


@pytest.fixture
def confirming(api: httpx.Client, database: Database) -> httpx.Client:
    """The API with a study whose search of six trials has ended; a worker has begun the first run that confirms."""
    space = {"drop_rate": {"type": "float", "low": 0.0, "high": 0.9}}
    parts = {"search_space": space, "fixed": {"regularizer": "dropout"}, "confirmation": {"top": 3, "repeats": 2}}
    api.post("/v1/studies", json=definition_data(**parts))
    work(database, studies.get(database, "digits-1"), limit=6)
    lease = claiming.claim(database, workers.register(database, "node-2", 1, "cpu"), 60)
    assert lease is not None
    holding.attach(database, lease, None, None)
    holding.record_epoch(database, lease, 1, [CurvePoint(1, 0, "val", "loss", 0.5)])
    return api


def test_runs_are_listed_by_place_beside_the_trials(confirming: httpx.Client) -> None:
    page = confirming.get(RUNS).json()
    assert [(run["place"], run["number"], run["state"]) for run in page["trials"]] == [
        (0, None, "running"),
        (1, None, "waiting"),
        (2, None, "waiting"),
    ]
    assert page["total"] == 3
    last = confirming.get(RUNS, params={"limit": 1, "offset": 2}).json()
    assert (last["trials"], last["total"]) == (page["trials"][2:], 3)
    everything = confirming.get("/v1/studies/digits-1/trials").json()["trials"]
    assert [run["place"] for run in everything] == [None] * 6 + [0, 1, 2]


def test_a_run_tells_all_it_knows(confirming: httpx.Client) -> None:
    run = confirming.get(f"{RUNS}/0").json()
    assert (run["stage"], run["place"], run["epoch"], run["epochs"]) == ("confirmation", 0, 1, 2 * EPOCHS)
    assert [(point["metric"], point["value"]) for point in run["curves"]] == [("loss", 0.5)]
    assert [attempt["worker"] for attempt in run["history"]] == ["node-2:1"]


def test_a_run_is_cancelled_whether_it_is_in_training_or_waits(confirming: httpx.Client) -> None:
    for place in (0, 2):
        cancelled = confirming.post(f"{RUNS}/{place}/cancel").json()
        assert (cancelled["place"], cancelled["state"], cancelled["reason"]) == (
            place,
            "cancelled",
            "cancelled by hand",
        )
    study = confirming.get("/v1/studies/digits-1").json()
    assert (study["counts"]["complete"], study["confirmation"]["cancelled"], study["confirmation"]["waiting"]) == (
        6,
        2,
        1,
    )
    assert confirming.get(f"{RUNS}/0").json()["history"][0]["state"] == "cancelled"


def test_a_place_that_there_is_not_is_unknown(confirming: httpx.Client) -> None:
    for answer in (confirming.get(f"{RUNS}/3"), confirming.post(f"{RUNS}/3/cancel")):
        assert (answer.status_code, answer.json()["error"]) == (404, "unknown_trial")
        assert answer.json()["message"] == "study 'digits-1' has no confirmation run 3"
    assert confirming.get(f"{RUNS}/-1").status_code == 422
