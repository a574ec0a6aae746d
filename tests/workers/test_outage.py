"""A database that goes away and comes back costs no trial."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.database.database import Database, initialise
from service.storage.embedded import EmbeddedPostgres
from service.storage.states import RunState
from service.storage.studies import curves, studies
from tests.storage.queueing import wait_until_blocked
from tests.workers.conftest import ROOT, StartWorker, finished, only_trial, own_study, until


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="pernodedrop-outage-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.wide
def test_a_crash_of_postgres_costs_no_epoch(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "postgres")
    url = server.start()
    initialise(url)
    epochs = 60
    with Database.open(url) as db:
        study = studies.create(db, own_study("outage", epochs=epochs, options={"seconds": 0.1}))
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--lease", "3", "--poll", "0.1"]
    workers = [subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}) for _ in range(2)]
    try:
        with Database.open(url) as db:
            until(lambda: only_trial(db, study).epoch >= 2)
        postmaster = int(next(folder.rglob("postmaster.pid")).read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGQUIT)  # an immediate shutdown: no goodbye to anybody
        time.sleep(4)  # longer than the lease
        server.release()
        server = EmbeddedPostgres(folder / "postgres")
        assert server.start() == url
        with Database.open(url) as db:
            until(finished(db, "outage"))
            trial = only_trial(db, study)
            assert (trial.state, trial.attempts, trial.epoch) == (RunState.COMPLETE, 1, epochs)
            losses = [p for p in curves.of_run(db, trial.run_id) if (p.split, p.metric) == ("val", "loss")]
            assert [point.epoch for point in losses] == list(range(1, epochs + 1))
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(30) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
        server.release()


CUT_OFF = sa.text(
    """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
    """
)


def test_a_refused_claim_is_no_empty_queue(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("refused"))
    with db.engine.begin() as connection:
        connection.execute(sa.text("LOCK TABLE fleet.runs IN EXCLUSIVE MODE"))  # nobody can claim
        worker = start_worker("--exit-when-idle", "--lease", "3")
        wait_until_blocked(db, 1)
        assert connection.execute(CUT_OFF).scalar_one() == 1  # as a server that ends does
    assert worker.wait(60) == 0
    assert only_trial(db, study).state is RunState.COMPLETE
