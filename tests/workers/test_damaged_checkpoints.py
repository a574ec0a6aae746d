"""Whatever lies where a checkpoint should be, the trial trains as if it were not there."""

import logging
import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from search_spaces import TaskSpec, TrialConfig
from service.storage.places import MOST_BYTES
from tests.workers.test_checkpoints import HERE, figures, order, reports, store, store_of
from workers.trial.checkpoints import CheckpointRoot, CheckpointStore, Fingerprint, unsealed
from workers.trial.collection import collect, discard
from workers.trial.messages import Started

NAME = f"00000001-{HERE}.pt"
STATE = {"epoch": 3, "weights": torch.arange(50.0)}


def file_of(folder: Path) -> Path:
    return folder / "run-7" / NAME


def test_no_bit_of_it_may_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert store(tmp_path, 1).save(STATE)
    whole = file_of(tmp_path).read_bytes()
    dice = random.Random(3)
    for place in [*range(0, 100, 3), *(dice.randrange(len(whole)) for _ in range(150))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << dice.randrange(8)
        file_of(tmp_path).write_bytes(flipped)
        assert store(tmp_path, 2).load() is None
    for size in (0, 1, 60, 89, 90, len(whole) - 1):
        file_of(tmp_path).write_bytes(whole[:size])
        assert store(tmp_path, 2).load() is None
    file_of(tmp_path).write_bytes(whole + b"\0")
    assert store(tmp_path, 2).load() is None
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert any("is damaged: its content does not fit its digest" in record.getMessage() for record in caplog.records)
    file_of(tmp_path).write_bytes(whole)
    assert store(tmp_path, 2).load() is not None


PLANTED: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link": lambda path: path.symlink_to(path.parents[2] / "elsewhere"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a huge file": lambda path: (path.touch(), os.truncate(path, MOST_BYTES + 1)),
    "nothing in it": Path.touch,
    "a text": lambda path: path.write_text("PK, but no archive"),
    "a list": lambda path: torch.save([1, 2], path),
    "an object": lambda path: torch.save({"fingerprint": "digits", "state": Path("x")}, path),
    "no state": lambda path: torch.save({"fingerprint": "digits"}, path),
}


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.timeout(60)
def test_what_is_planted_is_neither_read_nor_written_through(
    tmp_path: Path, planted: str, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "checkpoints"
    assert store(elsewhere, 1).save(STATE)
    file_of(elsewhere).rename(tmp_path / "valid")
    elsewhere = (tmp_path / "valid").rename(tmp_path / "moved")
    (tmp_path / "elsewhere" / "run-7").rmdir()
    (tmp_path / "elsewhere").rmdir()
    elsewhere = elsewhere.rename(tmp_path / "elsewhere")
    before = elsewhere.read_bytes()
    file_of(root).parent.mkdir(parents=True)
    PLANTED[planted](file_of(root))
    assert store(root, 2).load() is None
    assert len(caplog.records) == 1
    written = store(root, 1).save({"epoch": 1})
    assert written == (planted != "a folder")
    assert elsewhere.read_bytes() == before
    if written:
        assert store(root, 2).load() == {"epoch": 1}
        assert not file_of(root).is_symlink()
        discard(CheckpointRoot(str(root), HERE), 7)
        assert list(root.iterdir()) == []


def test_a_link_in_the_place_of_a_runs_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "checkpoints"
    assert store(elsewhere, 1).save(STATE)
    root.mkdir()
    (root / "run-7").symlink_to(elsewhere / "run-7")
    assert store(root, 2).load() is None
    assert not store(root, 2).save(STATE)
    discard(CheckpointRoot(str(root), HERE), 7)
    collect(CheckpointRoot(str(root), HERE), lambda runs: set())
    assert [path.name for path in (elsewhere / "run-7").iterdir()] == [NAME]


def test_a_draft_is_never_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0f")
    (tmp_path / "run-7").mkdir()
    (tmp_path / "run-7" / f"{NAME}.0f.draft").symlink_to(tmp_path / "target")
    assert not store(tmp_path, 1).save(STATE)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("name", ["data[1]", "a::b", "a*b", "?", "~x", "{a}", "100%20", "file:x", "täst ünd"])
def test_a_folder_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (str(tmp_path / name), name) if name != "~x" else (str(tmp_path / name),):
        assert store(Path(folder), 1).save({"epoch": 1})
        assert store(Path(folder), 2).load() == {"epoch": 1}
        assert file_of(tmp_path / name).is_file()
        collect(CheckpointRoot(folder, HERE), lambda runs: set())
        assert not file_of(tmp_path / name).exists()


@pytest.mark.parametrize("prefix", ["file://", "local://", "file:"])
def test_a_folder_may_be_a_url(tmp_path: Path, prefix: str) -> None:
    root = CheckpointRoot(f"{prefix}{tmp_path}/a[1]", HERE)
    assert CheckpointStore(root, 7, 1, Fingerprint("digits")).save({"epoch": 1})
    assert file_of(tmp_path / "a[1]").is_file()


def test_a_store_may_have_any_name(tmp_path: Path) -> None:
    root = CheckpointRoot(f"memory://{tmp_path.name}/data[1]/a*b", HERE)
    mine = CheckpointStore(root, 7, 1, Fingerprint("digits"))
    assert mine.save({"epoch": 1})
    assert mine.load() == {"epoch": 1}
    collect(root, lambda runs: set())
    files, path = fsspec.core.url_to_fs(root.url)
    assert files.find(path) == []


def test_what_an_earlier_release_wrote_is_resumed_unless_it_is_damaged(tmp_path: Path) -> None:
    """Its files have the fingerprint of the order alone, and no digest."""
    begun = order(TrialConfig(), tmp_path)
    whole = figures(list(reports(order(TrialConfig(), tmp_path / "whole"))))
    list(reports(begun, leave_after=3))
    [path] = tmp_path.glob("checkpoints/run-7/*.pt")
    state = unsealed(path.read_bytes())["state"]
    torch.save({"fingerprint": store_of(begun).fingerprint.ordered, "state": state}, path)
    resumed = list(reports(replace(begun, token=2)))
    assert isinstance(resumed[0], Started)
    assert resumed[0].facts["resumed_after_epoch"] == 3
    assert figures(resumed) == whole
    flipped = bytearray(path.read_bytes())
    weights = state["training"]["model"]
    at = flipped.index(next(iter(weights.values())).numpy().tobytes())
    flipped[at] ^= 1
    path.write_bytes(flipped)
    assert store_of(replace(begun, token=2)).load() is None
    elsewhere = path.rename(path.with_name("00000001-ff-5.pt"))
    torch.save({"fingerprint": store_of(begun).fingerprint.ordered, "state": state}, elsewhere)
    assert store_of(replace(begun, token=2)).load() is None  # another database's


def put(value: Any, *keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        *way, last = keys
        for key in way:
            state = state[key]
        state[last] = value

    return change


def drop(*keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        *way, last = keys
        for key in way:
            state = state[key]
        del state[last]

    return change


FIRST = ("training", "optimizer", "state", 0)
GROUP = ("training", "optimizer", "param_groups", 0)

WRONG: dict[str, Callable[[dict[str, Any]], None]] = {
    "no repeat": drop("repeat"),
    "a repeat beyond": put(2, "repeat"),
    "a repeat before": put(-1, "repeat"),
    "a repeat that is none": put(True, "repeat"),
    "no history": drop("history"),
    "a short history": drop("history", 0),
    "a torn history": put([(0, 1)], "history"),
    "a history of other epochs": put((0, 2, {"val_loss": 1.0}), "history", 0),
    "a history of words": put((0, 1, {"val_loss": "low"}), "history", 0),
    "a history without figures": put((0, 1, None), "history", 0),
    "no training": drop("training"),
    "a training that is none": put([], "training"),
    "an epoch beyond": put(3, "training", "epoch"),
    "an epoch of text": put("1", "training", "epoch"),
    "no model": put({}, "training", "model"),
    "a model that is none": put(None, "training", "model"),
    "no optimizer": put({}, "training", "optimizer"),
    "a moment missing": drop(*FIRST, "exp_avg"),
    "a moment too many": put(torch.zeros(1), *FIRST, "exp_inf"),
    "a moment of another shape": put(torch.zeros(3), *FIRST, "exp_avg"),
    "a moment of another type": put("1", *FIRST, "exp_avg"),
    "a step of another shape": put(torch.zeros(3), *FIRST, "step"),
    "a parameter beyond": put({}, "training", "optimizer", "state", 99),
    "a rate of text": put("fast", *GROUP, "lr"),
    "decay of one number": put((0.9,), *GROUP, "betas"),
    "an option missing": drop(*GROUP, "eps"),
    "other parameters": put([0, 0, 0, 0], *GROUP, "params"),
    "an order of another shape": put(torch.zeros(3, dtype=torch.uint8), "training", "order"),
    "an order that is none": put(None, "training", "order"),
    "noise of zeros": put(torch.full((5056,), 255, dtype=torch.uint8), "training", "noise", "cpu"),
    "noise of another type": put({"cpu": 1}, "training", "noise"),
    "noise of a GPU": put(torch.zeros(16, dtype=torch.uint8), "training", "noise", "cuda"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return figures(list(reports(order(TrialConfig(), tmp_path_factory.mktemp("whole")))))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_checkpoint_with_a_wrong_part_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, whole: list[Any], wrong: str
) -> None:
    caplog.set_level(logging.WARNING)
    begun = order(TrialConfig(), tmp_path)
    list(reports(begun, leave_after=3))
    state = unsealed(next(tmp_path.glob("checkpoints/run-7/*.pt")).read_bytes())["state"]
    WRONG[wrong](state)
    assert store_of(begun).save(state)
    trained = list(reports(replace(begun, token=2)))
    assert isinstance(trained[0], Started)
    assert "resumed_after_epoch" not in trained[0].facts
    assert figures(trained) == whole
    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.startswith("run 7 starts anew: ")


TASK = """
from torch import nn, zeros, tensor
from workers.tasks import Splits, Task
from .beside import NUMBER

class Mine(Task):
    def load(self, device):
        x = zeros(4, 2, device=device) + float((self.data_folder / "number").read_text())
        y = tensor([0, 1, 0, 1], device=device)
        return Splits(x, y, x, y)

    def build(self, config):
        return nn.Linear(2, 2)
"""


@pytest.mark.parametrize("changed", ["nothing", "module", "beside", "package", "data", "elsewhere"])
def test_a_change_of_a_tasks_code_or_data_is_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    names = {"module": "mine", "beside": "beside", "package": "__init__", "elsewhere": "other"}

    def fingerprint(version: str, addition: str) -> bytes:
        folder = tmp_path / version
        package = folder / "users"
        package.mkdir(parents=True)
        for file, text in (("__init__", ""), ("mine", TASK), ("beside", "NUMBER = 1"), ("other", "")):
            (package / f"{file}.py").write_text(text + addition * (names.get(changed) == file))
        (folder / "number").write_text(f"1{addition and '.5' * (changed == 'data')}")
        for module in [name for name in sys.modules if name.partition(".")[0] == "users"]:
            del sys.modules[module]
        with monkeypatch.context() as patched:
            patched.syspath_prepend(folder)
            of = replace(order(TrialConfig(), folder), task=TaskSpec(name="users.mine:Mine", epochs=1))
            return store_of(of).fingerprint.whole

    assert (fingerprint("a", "") == fingerprint("b", "\n# changed")) == (changed in ("nothing", "elsewhere"))
