"""Checkpoints of runs that ended without their holder are removed; those of open runs and of other databases stay."""

from pathlib import Path

import fsspec
import pytest

from service.storage.database.database import Database
from service.storage.fleet import ownership
from service.storage.runs import holding
from service.storage.states import RunState
from service.storage.studies import cancellation, studies
from tests.storage.queueing import claimed, nothing
from tests.workers.conftest import StartWorker, own_study, until
from workers.trial.checkpoints import CheckpointRoot, CheckpointStore, Fingerprint
from workers.trial.collection import collect, discard


@pytest.fixture(params=["folder", "object store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "checkpoints") if request.param == "folder" else f"memory://{tmp_path.name}"


def keep(root: CheckpointRoot, run_id: int, token: int = 1) -> None:
    assert CheckpointStore(root, run_id, token, Fingerprint("same")).save({"epoch": 1})


def kept(url: str) -> list[str]:
    """Run and file, sorted."""
    files, root = fsspec.core.url_to_fs(url)
    return sorted("/".join(path.split("/")[-2:]) for path in files.find(root))


def collected(db: Database, root: CheckpointRoot) -> None:
    collect(root, lambda runs: ownership.open_among(db, runs))


def test_what_belongs_to_no_open_run_is_collected(db: Database, url: str) -> None:
    studies.create(db, own_study("here", trials=4))
    running, back, cancelled, ended = (claimed(db) for _ in range(4))
    studies.create(db, own_study("deleted"))
    deleted = claimed(db)
    ours, theirs = CheckpointRoot(url, ownership.database_id(db)), CheckpointRoot(url, "ff-5")
    for lease in (running, back, cancelled, ended, deleted):
        keep(ours, lease.run_id, lease.token)
        keep(theirs, lease.run_id)
    holding.hand_back(db, back)
    holding.attach(db, cancelled, 1000, 0)
    holding.hand_back(db, cancelled)
    cancellation.cancel(db, "here", 0)
    holding.finish(db, ended, RunState.FAILED, reason="its holder died before it could clear up", tell=nothing)
    studies.delete(db, "deleted")
    collected(db, ours)
    everybody = (running, back, cancelled, ended, deleted)
    assert kept(url) == sorted(
        [f"run-{lease.run_id}/00000001-{ours.database}.pt" for lease in (running, back)]
        + [f"run-{lease.run_id}/00000001-ff-5.pt" for lease in everybody]
    )


def test_the_end_of_a_run_leaves_another_databases_checkpoints(url: str) -> None:
    ours, theirs = CheckpointRoot(url, "1f-16384"), CheckpointRoot(url, "f-16384")
    for token in (1, 2):
        keep(ours, 7, token)
        keep(theirs, 7, token)
    keep(ours, 77)
    discard(ours, 7)
    assert kept(url) == ["run-7/00000001-f-16384.pt", "run-7/00000002-f-16384.pt", "run-77/00000001-1f-16384.pt"]


def test_a_place_that_holds_nothing_of_ours_asks_the_database_nothing(tmp_path: Path) -> None:
    def asked(_: object) -> set[int]:
        raise AssertionError("there is nothing to ask")

    (tmp_path / "run-7").mkdir()
    (tmp_path / "run-7" / "notes.txt").write_text("somebody's")
    for root in (tmp_path, tmp_path / "nothing", tmp_path / "run-7" / "notes.txt"):
        collect(CheckpointRoot(str(root), "1f-16384"), asked)
    assert (tmp_path / "run-7" / "notes.txt").exists()


def test_a_torn_draft_goes_with_the_rest_and_the_folder_with_the_last(tmp_path: Path) -> None:
    root = CheckpointRoot(str(tmp_path), "1f-16384")
    keep(root, 7)
    (tmp_path / "run-7" / "00000002-1f-16384.pt.draft").write_bytes(b"torn")  # of an earlier release
    (tmp_path / "run-7" / "00000002-1f-16384.pt.0f3a.draft").write_bytes(b"torn")
    collect(root, lambda runs: set())
    assert list(tmp_path.iterdir()) == []


def test_databases_of_one_server_have_names_of_their_own(db: Database, empty_database_url: str) -> None:
    with Database.open(empty_database_url) as other:
        assert ownership.database_id(other) != ownership.database_id(db) == ownership.database_id(db)


def test_a_worker_collects(db: Database, start_worker: StartWorker, tmp_path: Path) -> None:
    root = CheckpointRoot(str(tmp_path / "checkpoints"), ownership.database_id(db))
    keep(root, 1_000_000)  # its study was deleted
    start_worker()
    until(lambda: kept(root.url) == [])
