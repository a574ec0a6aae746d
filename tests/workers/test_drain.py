"""A worker that is asked over REST to leave does what SIGTERM makes it do."""

from pathlib import Path

import pytest

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.runs import history
from service.storage.states import RunState
from service.storage.studies import studies
from tests.workers.conftest import StartWorker, finished, only_trial, own_study, until


@pytest.mark.wide
def test_a_worker_in_training_hands_its_run_back_and_leaves(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("drained", epochs=120, options={"seconds": 0.1}))
    first = start_worker("--lease", "6")
    until(lambda: only_trial(db, study).epoch >= 2)
    [record] = workers.alive(db)
    workers.drain(db, record.id)
    assert first.wait(60) == 0
    reached = only_trial(db, study)
    assert (reached.state, reached.attempts) == (RunState.WAITING, 0)
    assert [(one.state, one.worker) for one in history.of_run(db, reached.run_id)] == [("preempted", record.name)]
    start_worker()
    until(finished(db, "drained"))
    trial = only_trial(db, study)
    assert (trial.state, trial.attempts, trial.epoch) == (RunState.COMPLETE, 1, 120)
    assert trial.facts["resumed_after_epoch"] >= reached.epoch  # no epoch was trained twice


def test_an_idle_worker_leaves_and_shows_others_no_secret(
    db: Database, database_url: str, start_worker: StartWorker
) -> None:
    worker = start_worker()
    until(lambda: len(workers.alive(db)) == 1)
    [record] = workers.alive(db)
    assert record.pid == worker.pid
    shown = Path(f"/proc/{worker.pid}/environ")  # readable for every process of the user, a trial's too
    assert not shown.exists() or (b"PATH=" in shown.read_bytes() and database_url.encode() not in shown.read_bytes())
    workers.drain(db, record.id)
    assert worker.wait(60) == 0
    assert workers.alive(db) == []
