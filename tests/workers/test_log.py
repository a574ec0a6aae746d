"""What a task says in an exception cannot forge a record of the worker's log."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from search_spaces import TrialConfig, parse_definition
from service.storage.database.database import Database
from service.storage.runs import logs
from service.storage.states import RunState
from service.storage.studies import studies
from tests.nursery import SharedNursery
from tests.workers.conftest import only_trial
from tests.workers.own_tasks import Line

EVIL = "\x1b[2J\x9b2J\x85\u202e\n2026-01-01 00:00:00,000 INFO forged"


class Forging(Line):
    """Raises an exception with controls in its text."""

    def build(self, config: TrialConfig) -> nn.Module:
        print("before it raises")
        raise ValueError(EVIL + "\r" + str(torch.__version__))


def test_controls_of_an_exception_are_escaped_and_its_lines_are_indented(
    db: Database, nursery: SharedNursery, database_url: str, tmp_path: Path
) -> None:
    data = {
        "name": "forging",
        "task": {"name": f"{__name__}:Forging", "epochs": 1},
        "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1}},
        "budget": {"trials": 1},
    }
    study = studies.create(db, parse_definition(data))
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--exit-when-idle"]
    environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(tmp_path)}
    with nursery.start(command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        stdout, stderr = (said.decode() for said in worker.communicate(timeout=120))
    trial = only_trial(db, study)
    assert trial.state is RunState.FAILED
    [kept] = logs.of_run(db, trial.run_id)
    assert kept.log.stdout == "before it raises\n"
    assert "before it raises\n" in stdout
    assert kept.log.traceback is not None
    assert kept.log.traceback.startswith("Traceback (most recent call last)")
    log = stderr + stdout
    assert r"\x1b[2J\x9b2J\x85\u202e" in log
    assert not set(log) & set("\x1b\x9b\x85\u202e\r")
    assert any(line.endswith("INFO forged") or "INFO forged" in line for line in log.split("\n"))
    assert not [line for line in log.split("\n") if line.startswith("2026-01-01 00:00:00,000")]
