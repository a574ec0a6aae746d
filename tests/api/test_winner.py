"""The winner of a confirmation over REST."""

import csv
import io
from collections.abc import Mapping, Sequence
from statistics import fmean

import httpx
import pytest

from search_spaces.yaml_text import read_yaml
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint
from service.storage.runs import claiming, holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, Stage
from service.storage.studies import studies
from tests.storage.test_confirmation import FOUND, searched

TESTED = {"dropout": [0.31, 0.30, 0.32], "dropconnect": [0.11, 0.12, 0.10]}


def confirm(database: Database, every: Mapping[str, Sequence[float]] = TESTED) -> None:
    """Complete the confirmation's runs with these test losses."""
    worker = workers.register(database, "node-1", 4711, "cpu")
    while (lease := claiming.claim(database, worker, 60)) is not None:
        assert lease.stage is Stage.CONFIRMATION
        assert lease.params is not None
        holding.attach(database, lease, None, None)
        tested = every[lease.params["regularizer"]]
        for repeat, loss in enumerate(tested):
            points = [CurvePoint(1, repeat, "val", "loss", 0.5), CurvePoint(1, repeat, "test", "loss", loss)]
            holding.record_epoch(database, lease, repeat + 1, points)
        holding.finish(database, lease, RunState.COMPLETE, values=[fmean(tested)], tell=lambda: None)


def test_the_winner_is_named_when_the_confirmation_has_ended(api: httpx.Client, database: Database) -> None:
    searched(database)
    close_finished_studies(database)
    before = api.get("/v1/studies/found").json()
    assert (before["winner"], before["state"], before["confirmation"]["waiting"]) == (None, "running", 2)
    confirm(database)
    after = api.get("/v1/studies/found").json()
    assert (after["state"], after["counts"]["complete"], after["confirmation"]["complete"]) == ("complete", 5, 2)
    winner = after["winner"]
    assert (winner["variant"], winner["metric"], winner["seeds"]) == ("dropconnect", "test_loss", 3)
    assert winner["low"] < winner["mean"] < winner["high"]
    assert winner["verdict"][0].startswith("dropconnect wins the confirmation")
    assert winner["run"] == studies.get(database, "found").winner.run_id  # type: ignore[union-attr]
    assert after["best"]["values"] == [0.2]
    assert before["recommended"] is None
    assert before["confirmed"] == []
    assert before["advice"] == "The best configurations are being confirmed: 0 of 2 runs have ended."
    assert after["advice"] is None
    recommended = after["recommended"]
    assert (recommended["run"], recommended["why"]) == (winner["run"], "dropconnect, the winner of the confirmation.")
    assert read_yaml(recommended["fixed"]) == {"fixed": winner["params"]}
    assert api.get("/v1/studies/found/best").json() == {**after["best"], "recommended": recommended}
    first, second = after["confirmed"]
    assert (first["variant"], first["mean"], first["difference"]) == ("dropconnect", winner["mean"], None)
    assert (second["variant"], second["seeds_won"], second["seeds"]) == ("dropout", 0, 3)
    assert 0 < second["difference_low"] < second["difference"] < second["difference_high"]


def test_of_equal_means_every_answer_names_the_same_configuration(api: httpx.Client, database: Database) -> None:
    """The same losses in another order: added up one after another, the sums differ in their last bit."""
    searched(database)
    close_finished_studies(database)
    confirm(database, {"dropout": [0.1, 0.2, 0.3], "dropconnect": [0.3, 0.2, 0.1]})
    stored = studies.get(database, "found").winner
    assert stored is not None
    answer = api.get("/v1/studies/found").json()
    assert {stored.run_id, answer["winner"]["run"], answer["recommended"]["run"], answer["confirmed"][0]["run"]} == {
        stored.run_id
    }
    assert answer["confirmed"][0]["mean"] == answer["confirmed"][1]["mean"] == pytest.approx(0.2)
    assert answer["recommended"]["why"] == "dropout, whose mean is the best; that of dropconnect is the same."
    assert answer["winner"]["verdict"][0].startswith("No winner yet. dropout and dropconnect have the same mean: mean ")
    assert not any("lead" in sentence for sentence in answer["winner"]["verdict"])


def test_the_answer_is_exported_for_a_paper(api: httpx.Client, database: Database) -> None:
    searched(database)
    close_finished_studies(database)
    assert "No run of the confirmation is complete." in api.get("/v1/studies/found/confirmation.md").text
    confirm(database)
    for form, kind in (("csv", "text/csv"), ("md", "text/markdown"), ("tex", "application/x-tex")):
        answer = api.get(f"/v1/studies/found/confirmation.{form}", params={"to": "dropout"})
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["content-disposition"] == f'attachment; filename="found-confirmation.{form}"'
        assert "dropconnect" in answer.text
    refused = api.get("/v1/studies/found/confirmation.csv", params={"to": "zoneout"})
    assert (refused.status_code, refused.json()["error"]) == (404, "not_confirmed")
    rows = list(csv.DictReader(io.StringIO(api.get("/v1/studies/found/trials.csv").text)))
    assert [row["stage"] for row in rows] == ["search"] * len(FOUND) + ["confirmation"] * 2
    assert "trained again under 3 seeds" in api.get("/v1/studies/found/methods.md").text


def test_runs_that_confirm_are_listed_with_their_stage(api: httpx.Client, database: Database) -> None:
    searched(database)
    close_finished_studies(database)
    confirm(database)
    page = api.get("/v1/studies/found/trials").json()
    assert page["total"] == len(FOUND) + 2
    assert [trial["stage"] for trial in page["trials"]] == ["search"] * len(FOUND) + ["confirmation"] * 2
    assert [trial["epochs"] for trial in page["trials"]] == [3] * len(FOUND) + [9] * 2
    assert api.get("/v1/studies/found/trials?state=complete").json()["total"] == len(FOUND) + 2
    assert "dropconnect wins the confirmation" in api.get("/v1/studies/found/report").text
    assert len(api.get("/v1/studies/found/ranking").json()["ranking"]) == 2
