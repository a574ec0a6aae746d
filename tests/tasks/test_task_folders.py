"""Folders of own tasks: behind all others, so that nothing in them hides a module that lies elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pernodedrop import begin
from search_spaces import TaskSpec
from search_spaces.task_folders import search_tasks
from workers.tasks import load_task

ROOT = Path(__file__).parents[2]
TASK = "from tests.workers.own_tasks import Line\nclass Here(Line):\n    import queue, metrics_of_mine\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    monkeypatch.setattr(begin, "_hidden", [])
    monkeypatch.delenv("PERNODEDROP_TASKS", raising=False)
    folder = tmp_path / "my tasks"
    folder.mkdir()
    return folder


def test_tasks_are_found_last_and_what_is_hidden_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "task_of_a_folder.py").write_text(TASK)
    (folder / "metrics_of_mine.py").touch()
    for name in ("queue", "service", "numpy"):
        (folder / f"{name}.py").write_text("raise SystemExit\n")
    (folder / "workers").mkdir()
    monkeypatch.setenv("PERNODEDROP_TASKS", f"{folder}{os.pathsep}{folder.parent}")
    task = load_task(TaskSpec(name="task_of_a_folder:Here"), folder)
    assert Path(task.queue.__file__) != folder / "queue.py"  # type: ignore[attr-defined]
    assert sys.path[-2:] == [str(folder), str(folder.parent)]
    numpy_home = Path(sys.modules["numpy"].__file__ or "").parents[1]
    assert begin.hidden() == [
        f"{folder}/numpy.py is never imported, because {numpy_home} has a module numpy: rename the file",
        f"{folder}/queue.py is never imported, because Python has a module queue: rename the file",
        f"{folder}/service.py is never imported, because this program has a module service: rename the file",
        f"{folder}/workers is never imported, because this program has a module workers: rename the file",
    ]
    search_tasks()
    assert len(begin.hidden()) == 4


def test_the_option_takes_the_place_of_the_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERNODEDROP_TASKS", str(folder))
    monkeypatch.chdir(folder.parent)
    search_tasks(["my tasks", f"{ROOT / 'docs'}{os.pathsep}{ROOT / 'tests'}"])
    assert os.environ["PERNODEDROP_TASKS"].split(os.pathsep) == [str(folder), str(ROOT / "docs"), str(ROOT / "tests")]


@pytest.mark.parametrize(
    ("given", "variable", "said"),
    [
        (["nowhere"], "", "--tasks must name folders of tasks, got nowhere: there is no such folder"),
        (None, "/dev/null", "PERNODEDROP_TASKS must name folders of tasks, got /dev/null: it is no folder"),
        (["~nobody-of-that-name/x"], "", "got ~nobody-of-that-name/x: there is no such folder"),
    ],
)
def test_what_is_no_folder_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: list[str] | None, variable: str, said: str
) -> None:
    monkeypatch.setenv("PERNODEDROP_TASKS", variable)
    with pytest.raises(ValueError, match=f"{said}$"):
        search_tasks(given)


@pytest.mark.parametrize("name", ["service.py", "search_spaces.py", "service/__init__.py"])
def test_a_users_own_program_is_told_which_file_takes_our_place(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    (tmp_path / "script.py").write_text("from workers.tasks import Task\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], env=environment, capture_output=True, text=True, check=False
    )
    package = name.partition("/")[0].removesuffix(".py")
    last = done.stderr.splitlines()[-1]
    assert last == f"ImportError: {file} takes the place of this program's package {package}: rename it"
