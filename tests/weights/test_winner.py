"""From a study to its winner's model: trained by a real worker, fetched by the command, built in a fresh process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from service.api.app import create_app
from service.cli import main
from service.storage import artifacts
from service.storage.artifacts import ArtifactRoot
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet.ownership import database_id
from service.storage.records import seeds_of
from service.storage.runs import keeping, removal
from service.storage.studies import curves, studies, trials
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.weights.conftest import ROOT, Train, digits_study
from workers.winner import BadWinner, load_winner

MEASURE = """
import json, sys
from workers.winner import load_winner
each = [load_winner(folder, seed=seed) for folder in sys.argv[1:] for seed in load_winner(folder).seeds]
print(json.dumps([[one.variant, one.seed, one.measured()] for one in each]))
"""


@contextmanager
def controller(url: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with served(create_app(settings_for(url, artifacts=str(place)))) as address:
        monkeypatch.setenv("PERNODEDROP_URL", address)
        yield


def test_the_winners_figures_are_the_reports_to_the_last_bit(
    db: Database, database_url: str, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.create(db, digits_study("kept", keep="best"))
    trained()
    assert list(audit(db)) == []
    places, folders = range(2), [str(tmp_path / f"model-{place}") for place in range(2)]
    with controller(database_url, tmp_path / "artifacts", monkeypatch):
        for place in places:
            assert main(["weights", "kept", "-o", folders[place], "--confirmation", str(place)]) == 0
        assert main(["weights", "kept", "-o", folders[0]]) == 0  # in place of the other
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    measured = {(variant, seed): figures for variant, seed, figures in json.loads(done.stdout)}
    for run in (run for run in trials.confirming(db, study) if any(run.variant == variant for variant, _ in measured)):
        by_epoch = curves.epochs_of_run(db, run.run_id)
        for one in keeping.of_runs(db, [run.run_id])[run.run_id]:
            recorded = by_epoch[one.repeat, one.epoch]
            tested = {name: value for name, value in recorded.items() if name.startswith("test_")}
            assert measured[run.variant, seeds_of(study.definition, run)[one.repeat]] == tested
    _nothing_lives_longer_than_its_study(db, tmp_path / "artifacts")


def _nothing_lives_longer_than_its_study(db: Database, place: Path) -> None:
    root = ArtifactRoot(str(place), database_id(db))
    before = sorted(place.glob("run-*/*"))
    artifacts.collect(root, lambda runs: keeping.named_among(db, runs))
    assert sorted(place.glob("run-*/*")) == before
    named = keeping.of_study(db, studies.get(db, "kept").id).values()
    assert len(before) == sum(len(of_run) for of_run in named) == 2 * 2 + 2  # two seeds, and the search's one of each
    studies.delete(db, "kept")
    removal.remove(db, 60)
    artifacts.collect(root, lambda runs: keeping.named_among(db, runs))
    assert list(place.iterdir()) == []


def test_what_is_no_folder_of_weights_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for arguments, said in (
        (["-o", str(tmp_path / "notes")], "is there and has no winner.json: choose another folder with --output"),
        (["--trial", "1", "--confirmation", "0"], "--trial and --confirmation name two runs: leave one out"),
        (["--ensemble", "--seed", "1"], "--ensemble is of all seeds: leave --seed out"),
    ):
        assert main(["weights", "kept", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"


@pytest.mark.wide
def test_the_command_exports_the_ensemble(
    database_url: str,
    trained: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Database.open(database_url) as db:
        studies.create(db, digits_study("kept"))
    trained()
    with controller(database_url, tmp_path / "artifacts", monkeypatch):
        out = tmp_path / "model"
        assert main(["weights", "kept", "-o", str(out), "--ensemble", "--format", "pt2"]) == 0
        assert (out / "ensemble.pt2").is_file()
        assert main(["weights", "kept", "-o", str(out), "--format", "pt2"]) == 0
        assert sorted(path.name for path in out.glob("*.pt2")) == ["seed-1.pt2", "seed-2.pt2"]
        capsys.readouterr()
        assert main(["weights", "kept", "-o", str(out), "--format", "onnx"]) == 1
        assert "ONNX needs onnx and onnxscript, not installed here" in capsys.readouterr().err
        assert len(list(out.iterdir())) == 5  # the earlier folder stays


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "xpu", "no-such"])
def test_a_device_that_is_not_here_is_refused_in_one_line(device: str, tmp_path: Path) -> None:
    with pytest.raises(BadWinner) as refused:
        load_winner(tmp_path, device=device)
    [line] = str(refused.value).splitlines()
    assert line.startswith(f"device {device} cannot be used, here are cpu: ")
