"""Files of weights: whole or absent, the same after an interruption, and gone when no row names them."""

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import torch

from search_spaces import Objective, TaskSpec, TrialConfig
from service.storage.artifacts import ArtifactRoot, collect, discard
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.messages import Kept, Order, Report, Started, Stop
from workers.trial.orders import train
from workers.winner.reading import read_file

EPOCHS, REPEATS = 2, 2
HERE = "1f-16384"  # a database
FIXED = TrialConfig(regularizer="pernodedrop", mask_mode="fixed", units=8)
SNAPSHOTS = TrialConfig(regularizer="masksembles", units=8, learning_rate_schedule="snapshot", learning_rate_cycles=2)


@pytest.fixture(params=["folder", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactRoot:
    url = str(tmp_path / "artifacts") if request.param == "folder" else f"memory://{tmp_path.name}"
    return ArtifactRoot(url, HERE)


def there(root: ArtifactRoot) -> list[str]:
    """Run and file, sorted."""
    files, at = fsspec.core.url_to_fs(root.url)
    return sorted("/".join(path.split("/")[-2:]) for path in files.find(at))


def name(root: ArtifactRoot, run_id: int, seed: int, digest: str) -> str:
    return f"run-{run_id}/{seed}-{root.database}-{digest}.safetensors"


def test_what_no_row_names_is_collected(root: ArtifactRoot) -> None:
    theirs = replace(root, database="ff-5")
    first, second = (root.write(run, 0, b"weights") for run in (1, 2))
    stale, named = root.write(3, 1, b"a stale holder's"), root.write(3, 1, b"the holder's")
    foreign = theirs.write(2, 0, b"another database's")
    collect(root, lambda runs: {1: None, 3: {named}})  # 1 is in training, 2 was deleted, 3 has ended
    assert there(root) == sorted([name(root, 1, 0, first), name(theirs, 2, 0, foreign), name(root, 3, 1, named)])
    assert first == second != stale
    discard(root, 3, ())
    assert there(root) == sorted([name(root, 1, 0, first), name(theirs, 2, 0, foreign)])


def test_a_file_is_found_by_its_content_whoever_wrote_it(root: ArtifactRoot) -> None:
    digest = replace(root, database="ff-5").write(7, 3, b"before the dump was restored")
    assert b"".join(root.pieces(7, digest)) == b"before the dump was restored"
    assert root.has(7, digest)
    assert not root.has(8, digest)
    assert not root.has(7, "0" * 64)


def test_a_changed_file_is_not_taken_for_it(tmp_path: Path) -> None:
    root = ArtifactRoot(str(tmp_path), HERE)
    digest = root.write(7, 0, b"weights")
    (tmp_path / name(root, 7, 0, digest)).write_bytes(b"w")
    assert not root.has(7, digest)


def test_a_kill_while_a_file_is_written_leaves_nothing_half(tmp_path: Path) -> None:
    root = ArtifactRoot(str(tmp_path), HERE)
    child = os.fork()
    if child == 0:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # all is written, and nothing has its name
        root.write(7, 0, b"weights" * 1000)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    [draft] = there(root)
    assert draft.endswith(".draft")
    collect(root, lambda runs: {7: None})
    assert there(root) == [draft]  # somebody may still be at it
    collect(root, lambda runs: {7: set()})
    assert list(tmp_path.iterdir()) == []


def order(config: TrialConfig, folder: Path, token: int = 1, every: float = 1e9, **parts: object) -> Order:
    objective = Objective(metric="val_loss")
    parts = {"tested_by": objective, "artifacts": ArtifactRoot(str(folder / "artifacts"), HERE), **parts}
    return Order(
        task=TaskSpec(name="digits", epochs=EPOCHS, train_size=100),
        config=config,
        study_seed=3,
        first_seed=1,
        repeats=REPEATS,
        data_folder=folder,
        run_id=7,
        token=token,
        kept_by=objective,
        checkpoints=CheckpointRoot(str(folder / "checkpoints"), HERE),
        checkpoint_every=every,
        **parts,  # type: ignore[arg-type]
    )


def reports(of: Order, leave_after: int | None = None) -> Iterator[Report]:
    """Train in this process; with `leave_after`, a Stop that keeps a checkpoint comes in that epoch."""
    asked = itertools.count(1)
    return train(of, torch.device("cpu"), lambda _: Stop(keep=True) if next(asked) == leave_after else None)


def kept(of: Iterator[Report] | list[Report]) -> list[tuple[int, int, str | None]]:
    return [(r.weights.repeat, r.weights.epoch, r.weights.digest) for r in of if isinstance(r, Kept)]


@pytest.mark.parametrize("config", [pytest.param(FIXED, marks=pytest.mark.wide), SNAPSHOTS], ids=["fixed", "snapshots"])
def test_every_point_of_departure_leads_to_the_same_bytes(config: TrialConfig, tmp_path: Path) -> None:
    whole = kept(reports(order(config, tmp_path / "whole")))
    assert [repeat for repeat, _, _ in whole] == list(range(REPEATS))
    assert None not in [digest for _, _, digest in whole]
    for epoch in range(1, EPOCHS * REPEATS + 1):
        folder = tmp_path / str(epoch)
        list(reports(order(config, folder), leave_after=epoch))
        resumed = list(reports(order(config, folder, token=2)))
        assert isinstance(resumed[0], Started)
        assert resumed[0].facts["resumed_after_epoch"] == epoch
        assert kept(resumed) == whole
        assert len(list(folder.glob("artifacts/run-7/*"))) == REPEATS


def test_the_search_keeps_what_the_confirmation_would_but_tests_nothing(tmp_path: Path) -> None:
    of = order(FIXED, tmp_path, tested_by=None)
    for _, epoch, digest in kept(reports(of)):
        assert digest is not None
        assert of.artifacts is not None
        file = read_file(b"".join(of.artifacts.pieces(7, digest)), tmp_path)
        assert (file.head.epoch, file.head.form) == (epoch, "plain")
        assert file.head.config == FIXED
        assert not [name for name in file.head.figures if name.startswith("test_") or name.endswith("_seconds")]


def test_a_training_whose_first_weights_are_gone_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = kept(reports(order(FIXED, tmp_path / "whole")))
    list(reports(order(FIXED, tmp_path), leave_after=3))
    [first] = tmp_path.glob("artifacts/run-7/*")
    first.write_bytes(b"torn")
    resumed = list(reports(order(FIXED, tmp_path, token=2)))
    assert kept(resumed) == whole
    assert isinstance(resumed[0], Started)
    assert "resumed_after_epoch" not in resumed[0].facts
    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.endswith("ValueError: the weights of its repeat 1 are gone")


def test_a_place_that_cannot_be_written_ends_no_training(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("no folder")
    told = [report.weights for report in reports(order(FIXED, tmp_path)) if isinstance(report, Kept)]
    assert [one.digest for one in told] == [None] * REPEATS
    assert told[0].reason is not None
    assert told[0].reason.startswith("its weights could not be written: FileExistsError: ")
    nowhere = [report.weights for report in reports(order(FIXED, tmp_path, artifacts=None)) if isinstance(report, Kept)]
    assert nowhere[0].reason == "its worker keeps no weights: PERNODEDROP_ARTIFACTS, or --artifacts, was none"
