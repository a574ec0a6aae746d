"""Capsules from strangers: each is refused in one line that says why, and none of their words is obeyed."""

import io
import json
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search_spaces import parse_definition
from search_spaces.dimensions import FloatDimension
from search_spaces.objective import OF_THE_MACHINE
from service.storage.capsule import CapsuleRun, files_of, packed, read_capsule, unpacked
from tests.capsule.conftest import DEFINITION
from tests.capsule.repacking import changed, files_in, with_json
from workers.reproduction.__main__ import main
from workers.training.memory import PEAK

OWN = {**DEFINITION, "task": {"name": "tests.capsule.hostile:Task"}}
Make = Callable[[Path], Path]


def run_of(number: int, state: str = "complete") -> CapsuleRun:
    whole: dict[str, Any] = {"run": number + 1, "stage": "search", "number": number, "place": None, "state": state}
    figures = {"values": [0.5], "best_epoch": 1, "epoch": 1, "first_seed": 0, "seeds": 1, "facts": {}}
    told = {"variant": "dropout", "params": {"drop_rate": 0.3}, "provenance": None, "reason": None}
    return CapsuleRun.model_validate({**whole, **figures, **told, "started_at": None, "finished_at": None})


def capsule_at(path: Path, definition: dict[str, Any] = DEFINITION) -> Path:
    """A sound capsule of two trials, the second of which has failed."""
    rows = [{"run": 1, "repeat": 0, "epoch": 1, "split": "val", "metric": "loss", "value": 0.5}]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), written)
    files = files_of(parse_definition(definition), [run_of(0), run_of(1, "failed")], [1], {})
    path.write_bytes(packed("packed", {**files, "curves.parquet": written.getvalue()}, {}))
    return path


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    return capsule_at(tmp_path / "packed.zip")


def rezipped(capsule: Path, *, without: str = "", extra: zipfile.ZipInfo | None = None, data: bytes = b"x") -> Path:
    """The same files, but for one that is left out, and with another one, which no manifest lists."""
    path = capsule.with_name("rezipped.zip")
    with zipfile.ZipFile(capsule) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            if entry.filename != without:
                new.writestr(entry, old.read(entry))
        if extra is not None:
            extra.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(extra, data)
    return path


def with_manifest(capsule: Path, edit: Callable[[Any], None]) -> Path:
    with zipfile.ZipFile(capsule) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    edit(manifest)
    return rezipped(
        capsule, without="manifest.json", extra=zipfile.ZipInfo("manifest.json"), data=json.dumps(manifest).encode()
    )


def with_text(name: str, old: str, new: str) -> Make:
    def make(capsule: Path) -> Path:
        def edit(files: dict[str, bytes]) -> None:
            assert old.encode() in files[name]
            files[name] = files[name].replace(old.encode(), new.encode())

        return changed(capsule, edit)

    return make


def without_changing_the_manifest(capsule: Path) -> Path:
    data = files_in(capsule)["runs.json"].replace(b"0.3", b"0.4")
    return rezipped(capsule, without="runs.json", extra=zipfile.ZipInfo("runs.json"), data=data)


def truncated(capsule: Path) -> Path:
    capsule.write_bytes(capsule.read_bytes()[:-400])
    return capsule


def flipped(capsule: Path) -> Path:
    data = bytearray(capsule.read_bytes())
    data[200] ^= 1
    capsule.write_bytes(data)
    return capsule


def no_zip(capsule: Path) -> Path:
    capsule.write_bytes(b"study: nothing\n")
    return capsule


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def many(capsule: Path) -> Path:
    with zipfile.ZipFile(capsule, "a") as archive:
        for number in range(70):
            archive.writestr(f"file-{number}", b"")
    return capsule


def claiming(size: int) -> Make:
    """A bomb that claims less than it holds: its real size is behind the checksum."""

    def make(capsule: Path) -> Path:
        path = rezipped(capsule, extra=zipfile.ZipInfo("bomb"), data=bytes(3_000_000))
        data = bytearray(path.read_bytes())
        for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            at = data.rindex(mark)
            data[at + offset : at + offset + 4] = size.to_bytes(4, "little")
        path.write_bytes(data)
        return path

    return make


BAD: dict[str, tuple[Make, str]] = {
    "another schema": (
        lambda c: with_manifest(c, lambda m: m.update(schema_version=2)),
        "schema_version must be 1, got 2",
    ),
    "another format": (
        lambda c: with_manifest(c, lambda m: m.update(format="x")),
        "no capsule: its manifest.json must",
    ),
    "a field too many": (lambda c: with_manifest(c, lambda m: m.update(run="rm")), "manifest.json is wrong at"),
    "no manifest": (lambda c: rezipped(c, without="manifest.json"), "no capsule: it has no manifest.json"),
    "a missing file": (lambda c: rezipped(c, without="curves.parquet"), 'lacks "curves.parquet"'),
    "no curves": (lambda c: changed(c, lambda files: files.pop("curves.parquet")), "has no curves.parquet"),
    "an unlisted file": (lambda c: rezipped(c, extra=zipfile.ZipInfo("more")), 'list every file, but not "more"'),
    "changed bytes": (without_changing_the_manifest, '"runs.json" in the capsule was changed: its SHA-256'),
    "a flipped bit": (flipped, "is damaged"),
    "truncated": (truncated, "is no zip, or is damaged"),
    "no zip": (no_zip, "is no zip, or is damaged"),
    "a folder": (lambda c: c.parent, "is no file"),
    "nothing": (lambda c: c.with_name("none.zip"), "there is no such file"),
    "a path out": (lambda c: rezipped(c, extra=zipfile.ZipInfo("../x")), "must be a plain file name"),
    "an absolute path": (lambda c: rezipped(c, extra=zipfile.ZipInfo("/etc/x")), "must be a plain file name"),
    "a path of Windows": (lambda c: rezipped(c, extra=zipfile.ZipInfo("C:x")), "must be a plain file name"),
    "a link": (lambda c: rezipped(c, extra=link()), "a capsule has no links"),
    "a zip bomb": (lambda c: rezipped(c, extra=zipfile.ZipInfo("bomb"), data=bytes(3_000_000)), "this is a zip bomb"),
    "a bomb that claims little": (claiming(100), "is damaged"),
    "a bomb that claims much": (claiming(2**31), "must unfold into at most 1,073,741,824 bytes"),
    "many entries": (many, "must have at most 64 entries, got 75"),
    "a huge number": (with_text("runs.json", '"seeds": 1', '"seeds": 1e999'), "numbers of at most 64 bits, got 1e999"),
    "a long number": (with_text("runs.json", '"seeds": 1', f'"seeds": {"9" * 5000}'), "numbers of at most 64 bits"),
    "no number": (with_text("runs.json", "0.5", "NaN"), "must not have NaN"),
    "a key twice": (with_text("runs.json", '"seeds": 1', '"seeds": 1, "seeds": 1'), 'each key once, got "seeds" twice'),
    "many seeds": (with_text("runs.json", '"seeds": 1', '"seeds": 100000'), "runs.json is wrong at"),
    "deep": (with_text("definition.json", '"packed"', "[" * 100_000), "definition.json is too deep"),
    "another shape": (with_text("definition.json", '"high": 0.6', '"high": "x"'), 'high must be a number, got "x"'),
    "no table": (with_text("curves.parquet", "PAR1", "PAR2"), "curves.parquet cannot be read"),
    "a run twice": (with_text("runs.json", '"run": 2', '"run": 1'), "must have every run once"),
    "no such origin": (
        lambda c: changed(c, with_json("runs.json", lambda d: d["runs"][0].update(provenance="00"))),
        "lacks the provenance of trial 0",
    ),
    "another origin": (
        lambda c: changed(c, with_json("provenance.json", lambda d: d.update({"00": {"code": {"task": "1"}}}))),
        "provenance.json was changed",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_capsule_is_refused_in_one_line(name: str, capsule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, told = BAD[name]
    assert main([str(make(capsule))]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and told in err, err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--trial", "120"), "the capsule has no trial 120: its search has 0 to 1, and the nearest is 1"),
        (("--trial", "0", "--confirmation"), "no confirmation run 0: it has no run of the confirmation"),
        (("--trial", "1"), "trial 1 is failed: only complete and pruned runs have figures to compare"),
        (("--confirmation",), "--confirmation goes with --trial"),
    ],
)
def test_a_run_that_is_not_there_is_named(
    arguments: tuple[str, ...], told: str, capsule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(capsule), *arguments]) == 2
    assert told in capsys.readouterr().err


def test_code_runs_only_if_its_user_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = capsule_at(tmp_path / "own.zip", OWN)
    for arguments in ([], ["--task-from-here", "another:Task"]):
        assert main([str(path), *arguments]) == 2
        assert "add --task-from-here tests.capsule.hostile:Task to run it" in capsys.readouterr().err
    monkeypatch.setenv("PERNODEDROP_TASK_MODULES", "mylab")
    assert main([str(path), "--task-from-here", OWN["task"]["name"]]) == 2  # type: ignore[index]
    assert "is not allowed here (allowed: mylab)" in capsys.readouterr().err
    assert "tests.capsule.hostile" not in sys.modules


def test_an_own_loops_study_is_not_trained_again_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = capsule_at(
        tmp_path / "loop.zip",
        {**{k: v for k, v in OWN.items() if k != "evaluation"}, "task": {"name": "external", "epochs": 1}},
    )
    assert main([str(path)]) == 2
    assert "the capsule's study was trained by an own loop, code that only its author has" in capsys.readouterr().err


def test_clocks_and_memory_are_known_by_their_names() -> None:
    assert {"train_seconds", PEAK} == OF_THE_MACHINE


def test_a_definition_of_an_earlier_release_is_read_though_todays_rules_refuse_it(capsule: Path) -> None:
    path = with_text("definition.json", '"high": 0.6', '"high": 1.2')(capsule)
    drop_rate = read_capsule(*unpacked(path)).definition.search_space["drop_rate"]
    assert isinstance(drop_rate, FloatDimension)
    assert drop_rate.high == 1.2
