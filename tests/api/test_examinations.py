"""The examinations of a confirmation over REST and on a terminal."""

import csv
import io

import httpx
import pytest
from rich.console import Console

from service.api.models import ExaminationOut
from service.cli.examinations import examinations_table
from service.client import Client
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.runs import holding
from service.storage.studies import studies
from tests.api.fleet import definition_data, work
from tests.storage.examined import examination
from tests.storage.queueing import claimed

PATH = "/v1/studies/digits-1/examinations"


@pytest.fixture
def lease(api: httpx.Client, database: Database) -> Lease:
    """The lease of a run that confirms, in a study with an evaluation, with three examinations."""
    parts = {"confirmation": {"repeats": 2}, "evaluation": {}, "search_space": {}}
    fixed = {"fixed": {"regularizer": "dropout"}}
    assert api.post("/v1/studies", json=definition_data(trials=1, **parts, **fixed)).status_code == 201
    work(database, studies.get(database, "digits-1"), limit=1)
    lease = claimed(database)
    for repeat, inputs, accuracy in ((0, "test", 0.5), (0, "far", 0.0), (1, "test", 0.75)):
        figures = {"size": 4.0, "loss": float("nan")} | ({"accuracy": accuracy} if inputs == "test" else {})
        holding.record_examination(database, lease, examination(lease, repeat, inputs, figures=figures))
    return lease


def test_they_are_listed_by_run_repeat_and_set_in_pages(api: httpx.Client, lease: Lease) -> None:
    page = api.get(PATH).json()
    assert page["total"] == 3
    first = page["examinations"][1]
    assert first == {
        "run": lease.run_id,
        "place": 0,
        "configuration": 0,
        "variant": "dropout",
        "repeat": 0,
        "seed": 1,
        "epoch": 2,
        "inputs": "test",
        "kind": "test",
        "level": 0,
        "passes": 20,
        "outputs": "softmax",
        "figures": {"size": 4.0, "loss": None, "accuracy": 0.5},
    }
    assert [(one["repeat"], one["inputs"]) for one in page["examinations"]] == [(0, "far"), (0, "test"), (1, "test")]
    assert api.get(PATH, params={"limit": 1, "offset": 1}).json() == {"examinations": [first], "total": 3}
    assert api.get(PATH, params={"limit": 10_000}).status_code == 422
    assert api.get("/v1/studies/none/examinations").status_code == 404


def test_they_are_exported_with_their_settings(api: httpx.Client, lease: Lease) -> None:
    rows = list(csv.DictReader(io.StringIO(api.get(f"{PATH}.csv").text)))
    assert [(row["run"], row["repeat"], row["inputs"]) for row in rows] == [
        (str(lease.run_id), repeat, inputs) for repeat, inputs in (("0", "far"), ("0", "test"), ("1", "test"))
    ]
    assert (rows[1]["accuracy"], rows[1]["loss"], rows[1]["params_regularizer"]) == ("0.5", "", "dropout")
    report = api.get("/v1/studies/digits-1/report").text
    assert "What the noise knows" in report, "all seeds are there, though the run has not ended"


def test_a_terminal_shows_means_over_the_seeds(
    api: httpx.Client, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.client.PAGE", 2)
    with Client(str(api.base_url).rstrip("/")) as client:
        found: list[ExaminationOut] = list(client.examinations("digits-1"))
    assert len(found) == 3
    console = Console(file=io.StringIO(), width=80)
    console.print(examinations_table(found))
    assert isinstance(console.file, io.StringIO)
    rows = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert rows[0] == ["inputs", "seeds", "passes", "accuracy", "loss", "ece", "total", "epistemic"]
    assert rows[2:] == [
        ["dropout"],
        ["far", "1", "20", "-", "-", "-", "-", "-"],
        ["test", "2", "20", "0.6250", "-", "-", "-", "-"],
    ]
