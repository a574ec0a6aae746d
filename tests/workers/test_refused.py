"""A worker whose database refuses every statement for a while goes on as if nothing had been, from its first second."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage import audit
from service.storage.database import connections
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.refusing import FOR_A_WHILE, RefusingServer
from tests.workers.conftest import ROOT, finished, only_trial, own_study, until
from workers import __main__ as worker
from workers.device.gpu_slots import GpuSlots
from workers.runs.agent import Options


@pytest.fixture
def server(database_url: str) -> Iterator[RefusingServer]:
    with RefusingServer(database_url) as server:
        yield server


class Leaving:
    """Slots that find the queue empty."""

    def __init__(self, db: Database, options: Options, count: int | None) -> None:
        self.db = db

    def drain(self) -> None:
        """There is nothing to leave."""

    def run(self) -> None:
        self.db.ping()


@pytest.mark.parametrize("code", ["25006", "57014", "57P03"])
def test_a_worker_waits_at_its_start(server: RefusingServer, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("DATABASE_URL", server.url)
    monkeypatch.setattr(worker, "Signals", lambda *_: type("Silent", (), {"came": False, "drain": None})())
    server.refuse(code)
    codes: list[int] = []
    start = threading.Thread(target=lambda: codes.append(worker.main(["--checkpoints", "none"], Leaving)))  # type: ignore[arg-type]
    start.start()
    until(lambda: server.refused >= 3)
    assert codes == []
    server.relent()
    start.join(60)
    assert codes == [0]


def test_a_gpu_is_chosen_when_the_database_can_note_it(server: RefusingServer) -> None:
    with Database.open(server.url) as db:
        server.refuse("25006")
        held: list[GpuSlots] = []
        choice = threading.Thread(target=lambda: held.append(GpuSlots(db, "auto", ["GPU-a"])))
        choice.start()
        until(lambda: server.refused >= 3)
        assert held == []
        server.relent()
        choice.join(60)
        assert held[0].device == "auto:0"
        held[0].release()


@pytest.mark.wide
def test_a_whole_life_with_refusals(server: RefusingServer, database_url: str, tmp_path: Path) -> None:
    """Refused at its start, in a training with each error, and when it leaves: every trial is complete at once."""
    environment = {"DATABASE_URL": server.url, "PERNODEDROP_HOME": str(tmp_path), "GPUS": "GPU-a"}
    environment |= {"PRETENDED_MEMORY": str(tmp_path), "PRETENDED_BYTES": "1000"}
    command = [sys.executable, "-m", "tests.workers.pretended", "--lease", "3", "--poll", "0.1"]
    with Database.open(database_url) as db:
        server.refuse("25006")
        life = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
        try:
            until(lambda: server.refused >= 2)
            server.relent()
            for code in FOR_A_WHILE:
                study = studies.create(db, own_study(code.lower(), epochs=20, options={"seconds": 0.1}, retries=0))
                until(lambda study=study: only_trial(db, study).epoch >= 2)
                server.refuse(code)
                time.sleep(3.5)  # longer than a lease
                assert life.poll() is None
                server.relent()
                until(finished(db, study.name))
                trial = only_trial(db, study)
                assert (trial.state, trial.attempts, trial.epoch) == (RunState.COMPLETE, 1, 20), code
            server.refuse("53100")
            life.terminate()
            assert life.wait(60) == 0
        finally:
            life.kill()
            life.wait()
        assert audit.audit(db) == []


def test_a_full_server_is_tried_for_a_while(server: RefusingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FULL_S", 5.0)
    server.refuse("53300")
    threading.Timer(0.5, server.relent).start()
    with Database.open(server.url) as db:
        db.check_ready()
    assert server.refused > 0
