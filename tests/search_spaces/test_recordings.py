"""Recorded curves: a command records them, goes on where it was cut off, and says what they are of."""

import gzip
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.pausing import RECORDED, WAYS, replication
from benchmarks.pausing_tables import BEGIN, END, PAGE
from benchmarks.recording import CannotRecord, configurations, main, read, replayed
from search_spaces import TaskSpec, parse_definition
from search_spaces.yaml_text import read_yaml
from workers.tasks import load_task
from workers.training import Training
from workers.training.seeds import repeat_seed

FILES = sorted(RECORDED.glob("*.json.gz"))
SMALL: dict[str, Any] = {
    "name": "small",
    "task": {"name": "digits", "epochs": 2, "train_size": 100},
    "search_space": {
        "drop_rate": {"type": "float", "low": 0.2, "high": 0.4, "step": 0.2},
        "units": {"type": "categorical", "choices": [8, 16]},
    },
    "fixed": {"regularizer": "dropout"},
    "seed": 7,
    "sampler": {"name": "grid"},
    "pruner": {"name": "none"},
    "repeats": 2,
}


def content_of(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return content


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_recording_has_every_configuration_of_the_definition_beside_it(file: Path) -> None:
    study = parse_definition(read_yaml(file.with_name(file.name.replace(".json.gz", ".yaml")).read_text()))
    parts, curves = read(file)
    assert parts == replayed(study)
    assert curves.keys() == configurations(study).keys()
    assert {each.shape for each in curves.values()} == {(study.repeats, study.task.epochs)}
    assert all(np.isfinite(each).all() and (each > 0).all() for each in curves.values())
    assert len({each.tobytes() for each in curves.values()}) == len(curves)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_recording_says_where_it_comes_from(file: Path) -> None:
    for provenance in content_of(file)["provenance"]:
        assert provenance["packages"].keys() >= {"python", "torch", "pernodedrop"}
        assert len(provenance["data"]["digest"]) == 64
        assert provenance["run"]["device"] == "cpu"
    assert sum(each.stat().st_size for each in FILES) < 300_000


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_page_has_a_column_for_every_recording_and_a_row_for_every_pruner(sampler: str) -> None:
    begin, end = (mark.format(f"recorded, {sampler}") for mark in (BEGIN, END))
    written = PAGE.read_text().partition(begin)[2].partition(end)[0].strip()
    names = [file.name.removesuffix(".json.gz") for file in FILES]
    head, rule = f"| pruner | {' | '.join(names)} |", f"|{' --- |' * (len(names) + 1)}"
    for table in written.split("\n\n")[1::2]:
        first, second, *rows = table.splitlines()
        assert (first, second) == (head, rule)
        assert [row.split(" | ")[0] for row in rows] == [f"| {way}" for way in WAYS]
    assert written.count(head) == 3, "run `python -m benchmarks.pausing --docs`"


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_searches_are_played_on_it(file: Path, sampler: str) -> None:
    among = read(file)
    for way in WAYS:
        found = replication(among, sampler, way, 0, workers=2, trainings=2)
        assert len(found["regrets"]) == 4
        assert min(found["regrets"]) >= 0
        assert found["begun"] >= found["complete"] >= (0 if "asha" in way else 1)
    assert replication(among, sampler, "asha", 0, workers=2, trainings=2)["begun"] > 2  # none has begun two by then


def test_a_recording_is_what_the_trainings_bring(tmp_path: Path) -> None:
    into = record(tmp_path, SMALL)
    parts, curves = read(into)
    study = parse_definition(SMALL)
    assert parts == replayed(study)
    assert list(curves) == ["dropout|0.2|8", "dropout|0.2|16", "dropout|0.4|8", "dropout|0.4|16"]
    task, configs = load_task(TaskSpec(**SMALL["task"]), tmp_path), configurations(study)
    for key, of_seeds in curves.items():
        for repeat, curve in enumerate(of_seeds):
            seed = repeat_seed(7, repeat)
            training = Training(task, configs[key], epochs=2, seed=seed, device=torch.device("cpu"))
            losses = [epoch.metrics["val_loss"] for epoch in training.epochs()]
            assert list(curve) == pytest.approx(losses, rel=1e-4)  # threads may add up in another order
    [provenance] = content_of(into)["provenance"]
    assert provenance["packages"]["torch"] == version("torch")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.json.gz", "small.yaml"]


def test_the_same_command_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    whole = record(tmp_path, SMALL).read_bytes()
    first = record(tmp_path, SMALL, "--seeds", "1")
    assert {each.shape for each in read(first)[1].values()} == {(1, 2)}
    part = tmp_path / "small.json.gz.part"
    about, *lines = part.read_text().splitlines()
    assert len(lines) == 4
    changed = json.loads(lines[0])
    changed[2][0] = 5.0
    cut_off = lines[3][:9]  # in the midst of a line
    part.write_text("\n".join([about, json.dumps(changed), *lines[1:3], cut_off]))
    again = record(tmp_path, SMALL)
    curves, known = content_of(again)["curves"], json.loads(gzip.decompress(whole))["curves"]
    assert curves["dropout|0.2|8"][0][0] == 5.0  # taken from what was done, not trained again
    curves["dropout|0.2|8"][0][0] = known["dropout|0.2|8"][0][0]
    assert curves == known
    assert not part.exists()


def test_what_was_done_of_another_study_is_refused(tmp_path: Path) -> None:
    record(tmp_path, SMALL, "--seeds", "1")
    with pytest.raises(SystemExit, match=r"small\.json\.gz\.part has curves of another study, .*: remove it$"):
        record(tmp_path, {**SMALL, "seed": 8})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": {"name": "random"}, "budget": {"trials": 4}}, "small: the sampler must be grid, got random"),
        (
            {"objectives": [{"metric": "val_accuracy", "direction": "maximize"}]},
            "small: the first objective must be minimized, val_accuracy is maximized",
        ),
        (
            {
                "search_space": {"batch_size": {"type": "categorical", "choices": [32, 64]}},
                "fixed": {"regularizer": "dropout", "drop_rate": 0.5, "units": 8},
            },
            "small has dropout|0.5|8 twice: search variants, drop_rate and units alone",
        ),
    ],
)
def test_a_study_that_cannot_be_replayed_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SystemExit) as refused:
        record(tmp_path, {**SMALL, **change})
    assert str(refused.value) == message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.yaml"]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"dropout|0.2|8": [[1.0]]}')
    with pytest.raises(CannotRecord, match=r"has no study and curves: write it by python -m benchmarks\.recording$"):
        read(other)


def record(folder: Path, definition: dict[str, Any], *options: str) -> Path:
    study, into = folder / "small.yaml", folder / "small.json.gz"
    study.write_text(json.dumps(definition))
    main([str(study), "--into", str(into), "--data", str(folder), *options])
    return into
