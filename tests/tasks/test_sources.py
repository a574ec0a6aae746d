"""What a task's process runs is what its digest says, whatever becomes of its files."""

import importlib
import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.tasks import code
from workers.tasks.code import code_here, read_once
from workers.tasks.sources import stamp_of

TASK = "import sys\nVALUE = 1\ndef lazily():\n    import lazy_helper\n    return lazy_helper.VALUE\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of tasks, in a process whose imports are forgotten afterwards."""
    (tmp_path / "read_task.py").write_text(TASK)
    (tmp_path / "lazy_helper.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PERNODEDROP_TASKS", str(tmp_path))
    yield tmp_path
    code._read_once.clear()
    for name in ("read_task", "lazy_helper"):
        sys.modules.pop(name, None)


def edit(file: Path, old: str, new: str) -> None:
    """Change a file as a tool does that keeps its time."""
    before = file.stat()
    file.write_text(file.read_text().replace(old, new))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def is_current(stamps: dict[str, tuple[int, int]]) -> bool:
    return all(stamp_of(file) == stamp for file, stamp in stamps.items())


@pytest.mark.parametrize("name", ["read_task", "lazy_helper"])
def test_an_edit_is_noticed_and_what_was_read_is_what_runs(folder: Path, name: str) -> None:
    digest = code_here("read_task")
    stamps = read_once("read_task")
    edit(folder / f"{name}.py", "VALUE = 1", "VALUE = 2")
    assert not is_current(stamps)
    task = importlib.import_module("read_task")
    assert (task.VALUE, task.lazily()) == (1, 1)
    assert code._digest(task) == digest != code_here("read_task")
    code._digest.cache_clear()
    stamps = read_once("read_task")
    task = importlib.import_module("read_task")
    assert (task.VALUE, task.lazily()) == ((2, 1) if name == "read_task" else (1, 2))
    assert code._digest(task) == code_here("read_task")
    assert is_current(stamps)


def test_a_file_that_appears_is_noticed(folder: Path) -> None:
    (folder / "lazy_helper.py").unlink()
    stamps = read_once("read_task")
    (folder / "lazy_helper.py").write_text("VALUE = 3\n")
    assert not is_current(stamps)


def test_a_compiled_file_of_the_same_second_is_not_run(folder: Path) -> None:
    file = folder / "read_task.py"
    py_compile.compile(str(file))
    edit(file, "VALUE = 1", "VALUE = 2")
    read_once("read_task")
    assert importlib.import_module("read_task").VALUE == 2


def test_what_lies_beside_a_package_counts_and_this_program_does_not(folder: Path) -> None:
    (folder / "lab").mkdir()
    (folder / "lab/__init__.py").touch()
    (folder / "lab/task.py").write_text("import lazy_helper, workers.tasks, search_spaces\n")
    (folder / "search_spaces.py").touch()
    digest = code_here("lab.task")
    (folder / "search_spaces.py").write_text("changed = True\n")
    assert code_here("lab.task") == digest
    (folder / "lazy_helper.py").write_text("VALUE = 4\n")
    assert code_here("lab.task") != digest
