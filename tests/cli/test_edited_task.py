"""A task in a folder of tasks is edited while its study is trained: the next trial is of the new one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces import parse_definition
from service.client import Client
from service.storage.database.database import Database
from service.storage.studies import studies, trials
from tests.workers.conftest import ROOT, until

TASK = """
import offset_of_mine
from tests.workers.own_tasks import Line
class Mine(Line):
    def metrics(self, outputs, targets):
        return {**super().metrics(outputs, targets), "offset": offset_of_mine.OFFSET}
"""


@pytest.mark.wide
def test_an_edited_task_needs_no_new_worker_and_is_told_everywhere(
    command: Callable[..., tuple[int, str, str]], client: Client, controller: str, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "task_of_mine.py").write_text(TASK)
    (folder / "offset_of_mine.py").write_text("OFFSET = 1\n")
    (folder / "workers.py").touch()
    definition = {
        "name": "edited",
        "task": {"name": "task_of_mine:Mine", "epochs": 1, "options": {"seconds": 0.2}},
        "objectives": [{"metric": "val_offset"}],
        "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1}},
        "sampler": {"name": "random"},
        "pruner": {"name": "none"},
        "budget": {"trials": 2},
    }
    environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
    begun = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", "--tasks", str(folder)]
    with Database.open(database_url) as db:
        study = studies.create(db, parse_definition({**definition, "budget": {"trials": 1}}))
        worker = subprocess.Popen(begun, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: studies.get(db, "edited").finished_at is not None)
            assert command("studies", "edited")[1].splitlines()[-1].startswith("code of the task: ")
            (folder / "offset_of_mine.py").write_text("OFFSET = 2\n")
            client.extend("edited", 1)
            until(lambda: sum(trial.values is not None for trial in trials.begun(db, study)) == 2)
        finally:
            worker.terminate()
            said = worker.communicate()[1]
        assert [trial.values for trial in trials.begun(db, study)] == [[1.0], [2.0]]
    assert f"{folder}/workers.py is never imported, because this program has a module workers: rename the file" in said
    shown = client.study("edited")
    assert [code.runs for code in shown.task_code] == [1, 1]
    assert shown.task_changed is not None
    assert shown.task_changed in command("studies", "edited")[1]
    assert shown.task_changed in client.report("edited")
    codes = {code.digest for code in shown.task_code}
    assert {client.trial("edited", number).provenance["code"]["task"] for number in (0, 1)} == codes  # type: ignore[index]
    assert next(iter(codes)) in command("trial", "edited", "0")[1] + command("trial", "edited", "1")[1]
