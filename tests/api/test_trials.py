"""Trials, the best of them, the ranking, the report and the workers over REST."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import EPOCHS, definition_data, work

ENDINGS = {1: RunState.PRUNED, 2: RunState.FAILED}


@pytest.fixture
def worked(api: httpx.Client, database: Database) -> Iterator[httpx.Client]:
    """The API with a finished study of 8 trials: 6 complete, one pruned, one failed."""
    api.post("/v1/studies", json=definition_data(trials=8))
    work(database, studies.get(database, "digits-1"), ENDINGS)
    yield api


def test_trials_are_listed_in_order_and_by_state(worked: httpx.Client) -> None:
    page = worked.get("/v1/studies/digits-1/trials").json()
    assert [trial["number"] for trial in page["trials"]] == list(range(8))
    assert page["total"] == 8
    failed = worked.get("/v1/studies/digits-1/trials", params={"state": "failed"}).json()
    assert failed["total"] == 1
    assert failed["trials"][0]["reason"] == "training loss became nan"
    part = worked.get("/v1/studies/digits-1/trials", params={"limit": 3, "offset": 6}).json()
    assert [trial["number"] for trial in part["trials"]] == [6, 7]


def test_a_trial_tells_all_it_knows(worked: httpx.Client) -> None:
    trial = worked.get("/v1/studies/digits-1/trials/0").json()
    assert trial["state"] == "complete"
    assert trial["params"]["units"] in (32, 64, 128)
    assert trial["variant"].startswith(trial["params"]["regularizer"])
    assert (trial["epoch"], trial["epochs"], trial["best_epoch"]) == (EPOCHS, EPOCHS, EPOCHS)
    assert trial["worker"] == "node-1:4711"
    assert trial["attempts"] == 1
    assert trial["duration_s"] > 0
    assert 0 < trial["spent_s"] <= trial["duration_s"] + 0.1
    losses = [p["value"] for p in trial["curves"] if (p["split"], p["metric"]) == ("val", "loss")]
    assert len(losses) == EPOCHS
    assert losses[-1] == trial["values"][0]


def test_waiting_runs_have_no_number_yet(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data(trials=2))
    trials = api.get("/v1/studies/digits-1/trials", params={"state": "waiting"}).json()["trials"]
    assert [trial["number"] for trial in trials] == [None, None]
    refused = api.get("/v1/studies/digits-1/best").json()
    assert (refused["error"], refused["message"].partition(" trial ")[2]) == (
        "no_complete_trial",
        "yet: ask again later",
    )
    api.post("/v1/studies/digits-1/stop")
    message = api.get("/v1/studies/digits-1/best").json()["message"]
    assert message == "study 'digits-1' has no complete trial, and has ended: it is stopped"


def test_the_later_runs_of_a_long_study_have_no_id_until_they_are_next(api: httpx.Client) -> None:
    created = api.post("/v1/studies", json=definition_data(trials=999_999)).json()
    assert (created["counts"]["waiting"], created["budget"]["trials"]) == (999_999, 999_999)
    path = "/v1/studies/digits-1/trials"
    page = api.get(path, params={"offset": 999_997}).json()
    assert page["total"] == 999_999
    assert [(trial["run"], trial["state"]) for trial in page["trials"]] == [(None, "waiting")] * 2
    assert api.get(path, params={"limit": 1}).json()["trials"][0]["run"] > 0
    stopped = api.post("/v1/studies/digits-1/stop").json()
    assert (stopped["counts"]["cancelled"], stopped["finished_at"] is not None) == (999_999, True)
    [last] = api.get(path, params={"state": "cancelled", "offset": 999_998}).json()["trials"]
    assert (last["run"], last["reason"]) == (None, "study stopped")
    assert api.delete("/v1/studies/digits-1").status_code == 204
    assert api.post("/v1/studies", json=definition_data(trials=1)).status_code == 201


def test_the_best_is_the_lowest_loss(worked: httpx.Client) -> None:
    complete = worked.get("/v1/studies/digits-1/trials", params={"state": "complete"}).json()["trials"]
    best = worked.get("/v1/studies/digits-1/best").json()
    assert best.pop("recommended") is None
    assert best == min(complete, key=lambda trial: trial["values"][0])


def test_the_ranking_holds_every_variant_once_and_begins_with_the_best(worked: httpx.Client) -> None:
    rows = worked.get("/v1/studies/digits-1/ranking").json()["ranking"]
    trials = worked.get("/v1/studies/digits-1/trials").json()["trials"]
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["variant"] for row in rows} == {trial["variant"] for trial in trials}
    assert sum(row["trials"] for row in rows) == 6
    assert sum(row["pruned"] for row in rows) == 1
    best = worked.get("/v1/studies/digits-1/best").json()
    assert rows[0]["best_number"] == best["number"]
    assert rows[0]["best_values"] == best["values"]


def test_the_front_is_by_every_objective(api: httpx.Client, database: Database) -> None:
    """By the first two objectives trial 0 dominates all others; trial 1 is the best by the third."""
    ways = {"val_loss": "minimize", "val_accuracy": "maximize", "train_seconds": "minimize"}
    objectives = [{"metric": metric, "direction": direction} for metric, direction in ways.items()]
    assert api.post("/v1/studies", json=definition_data(trials=3, objectives=objectives)).status_code == 201
    values = "ARRAY[ordinal, 10 - ordinal, CASE ordinal WHEN 1 THEN 1 ELSE 5 + ordinal END]"
    with database.engine.begin() as connection:
        params = """'{"regularizer": "dropout", "drop_rate": 0.5}'"""
        change = f"state = 'complete', trial_number = ordinal, params = {params}, values = {values}"
        connection.execute(sa.text(f"UPDATE fleet.runs SET {change}"))
    found = api.get("/v1/studies/digits-1/ranking").json()
    assert [(row["number"], row["values"]) for row in found["front"]] == [(0, [0, 10, 5]), (1, [1, 9, 1])]
    assert found["on_front"] == 2


def test_with_one_objective_there_is_no_front(worked: httpx.Client) -> None:
    found = worked.get("/v1/studies/digits-1/ranking").json()
    assert (found["front"], found["on_front"]) == ([], 0)


def test_the_report_is_a_page_of_its_own(worked: httpx.Client) -> None:
    response = worked.get("/v1/studies/digits-1/report")
    assert response.headers["Content-Type"].startswith("text/html")
    assert "digits-1" in response.text
    assert worked.get("/v1/studies/digits-2/report").status_code == 404


def test_workers_are_listed_while_they_are_alive(worked: httpx.Client) -> None:
    (worker,) = worked.get("/v1/workers").json()["workers"]
    assert (worker["host"], worker["pid"], worker["device"]) == ("node-1", 4711, "cpu")
    assert worker["study"] is None
