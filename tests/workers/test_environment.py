"""A worker among files with its modules' names, on a machine without a folder that a cache may be written to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces import TaskSpec, parse_definition
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.foreign import HIDING, folder_in_the_way
from tests.workers.conftest import ROOT
from workers.tasks import load_task
from workers.tasks.code import code_here
from workers.tasks.commits import commit_of
from workers.tasks.errors import UnknownTask

TASK = """
import queue
from tests.workers.own_tasks import Line
class Here(Line):
    queue = queue
"""


def program_without_cache(folder: Path) -> Path:
    """A copy of the program whose kernels' cache cannot be written, not even by root."""
    folder.mkdir()
    for name in ("search_spaces", "service", "workers"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "pernodedrop", folder / "pernodedrop")
    cache = folder / "pernodedrop/backends/cpu/__pycache__"
    shutil.rmtree(cache, ignore_errors=True)
    cache.touch()
    return folder


def test_the_kernel_falls_back_with_one_warning_and_no_file_of_a_task_is_in_the_way(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    way = folder_in_the_way(tmp_path / "way")
    program = program_without_cache(tmp_path / "program")
    dynamic = {"name": "dynamic", "task": {"name": "digits", "epochs": 1, "train_size": 64}, "pruner": {"name": "none"}}
    dynamic |= {"search_space": {"stir_type": {"type": "categorical", "choices": ["bernoulli", "partial_gaussian"]}}}
    dynamic |= {"fixed": {"regularizer": "pernodedrop", "drop_rate": 0.3, "noisy_fraction": 0.5}}
    study = studies.create(db, parse_definition(dynamic | {"sampler": {"name": "grid"}}))
    command = [sys.executable, "-P", program / "pernodedrop/begin.py", "workers", "--device", "cpu", "--exit-when-idle"]
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "PERNODEDROP_HOME": str(tmp_path),
        "PYTHONPATH": str(way),
        "PYTHONWARNINGS": "error",
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null",
        "NUMBA_CACHE_DIR": "/dev/null/cache",
    }
    done = subprocess.run(command, cwd=way, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [run.state for run in trials.begun(db, study)] == [RunState.COMPLETE] * 2
    assert done.stderr.count("RuntimeWarning: the kernel does not run on 'cpu'") == 1
    for name in HIDING:
        assert f"{way}/{name}.py is never imported, because " in done.stderr


def test_a_task_may_lie_where_the_worker_is_started_and_hides_nothing_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    way = folder_in_the_way(tmp_path / "way", "digits_here")
    (way / "task_of_this_folder.py").write_text(TASK)
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    monkeypatch.chdir(way)
    assert code_here("task_of_this_folder") is not None
    task = load_task(TaskSpec(name="task_of_this_folder:Here"), tmp_path)
    assert Path(task.queue.__file__).name == "queue.py"  # type: ignore[attr-defined]
    assert sys.path[-1] == str(way)
    with pytest.raises(
        UnknownTask,
        match=r"or give its folder to the worker by --tasks or PERNODEDROP_TASKS$",
    ):
        load_task(TaskSpec(name="no_module_of_this_folder:Here"), tmp_path)


def test_a_hook_of_git_does_not_say_which_commit_a_task_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a", "-C", str(tmp_path))
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "task.py").write_text("")
    subprocess.run([*git, "add", "task.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a"], check=True)
    commit = commit_of([tmp_path / "task.py"])
    assert commit is not None
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))
    assert commit_of([tmp_path / "task.py"]) == commit
