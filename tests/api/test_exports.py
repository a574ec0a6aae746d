"""Tables and figures over REST."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from service.storage.capsule import read_capsule, unpacked
from service.storage.capsule.content import curves_of
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import EPOCHS, definition_data, work

STUDY = "/v1/studies/digits-1"


@pytest.fixture
def worked(api: httpx.Client, database: Database) -> Iterator[httpx.Client]:
    """The API with a finished study of 8 trials: 6 complete, one pruned, one failed."""
    api.timeout = 60  # s: a first picture imports matplotlib
    api.post("/v1/studies", json=definition_data(trials=8))
    work(database, studies.get(database, "digits-1"), {1: RunState.PRUNED, 2: RunState.FAILED})
    yield api


def test_records_come_as_csv_and_as_parquet(worked: httpx.Client) -> None:
    written = worked.get(f"{STUDY}/records.csv")
    assert written.headers["Content-Type"].startswith("text/csv")
    assert written.headers["Content-Disposition"] == 'attachment; filename="digits-1-records.csv"'
    rows = list(csv.DictReader(io.StringIO(written.text)))
    assert {row["state"] for row in rows} == {"complete", "pruned"}
    assert len([row for row in rows if row["state"] == "complete"]) == 6 * EPOCHS
    typed = worked.get(f"{STUDY}/records.parquet")
    assert typed.headers["Content-Type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(typed.content))
    assert table.column_names == list(rows[0])
    assert table.num_rows == len(rows)
    assert table["val_loss"].to_pylist() == [float(row["val_loss"]) for row in rows]
    tables = ("curves", "paper_table", "examinations", "detection")
    for file in (f"{table}.{form}" for table in tables for form in ("csv", "parquet")):
        assert worked.get(f"{STUDY}/{file}").raise_for_status().content


def test_the_listed_figures_are_pictures(worked: httpx.Client) -> None:
    listed = worked.get(f"{STUDY}/figures").json()["figures"]
    assert {"history", "records"} <= {figure["name"] for figure in listed}
    assert all(figure["caption"] for figure in listed)
    png, svg = (worked.get(f"{STUDY}/figures/history.{form}") for form in ("png", "svg"))
    assert (png.headers["Content-Type"], png.content[:4]) == ("image/png", b"\x89PNG")
    assert svg.headers["Content-Type"] == "image/svg+xml"
    assert "<svg" in svg.text


def test_a_study_comes_as_a_capsule(worked: httpx.Client, tmp_path: Path) -> None:
    got = worked.get(f"{STUDY}/capsule")
    assert got.headers["Content-Type"] == "application/zip"
    path = tmp_path / "digits-1.zip"
    path.write_bytes(got.content)
    capsule = read_capsule(*unpacked(path))
    assert [run.state for run in capsule.runs].count(RunState.COMPLETE) == 6
    [best] = capsule.recommended
    assert len({epoch for _, epoch, _ in curves_of(capsule, [best])[best]}) == EPOCHS


REFUSED = [
    ("figures/nothing.png", 404, "unknown_figure"),
    ("figures/history.gif", 422, "invalid_request"),
    ("figures/..%2F..%2Fx.svg", 404, "not_found"),
    ("records.xlsx", 422, "invalid_request"),
    ("trial.csv", 422, "invalid_request"),
]


def test_what_is_not_there_is_refused(worked: httpx.Client) -> None:
    for path, status, error in REFUSED:
        response = worked.get(f"{STUDY}/{path}")
        assert (response.status_code, response.json()["error"]) == (status, error), path
        assert "\n" not in response.json()["message"]


def test_a_study_without_results_has_tables_without_rows_and_no_figure(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data())
    assert api.get(f"{STUDY}/figures").json() == {"figures": []}
    assert api.get(f"{STUDY}/records.csv").text == "run,trial,stage,variant,state,drop_rate,first_seed,epoch\n"
    assert "it has none yet" in api.get(f"{STUDY}/figures/history.png").json()["message"]


def test_a_missing_package_is_said_in_one_line(worked: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, package in (("records.parquet", "pyarrow"), ("figures/history.png", "matplotlib")):
        monkeypatch.setitem(sys.modules, package, None)  # what an import of it meets where it is not installed
        response = worked.get(f"{STUDY}/{file}")
        assert (response.status_code, response.json()["error"]) == (501, "missing_package")
        assert response.json()["message"].endswith("pip install 'pernodedrop[export]'")
