"""A dump that is restored under live workers costs work, but mixes nothing."""

import signal
from pathlib import Path

import pytest

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.dumps import dumped, over_the_old_one
from tests.workers.conftest import StartWorker, finished, own_study, until


@pytest.mark.wide
def test_a_restored_dump_under_live_workers_mixes_nothing(
    db: Database, superuser_url: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    study = studies.create(db, own_study("s", trials=3, epochs=30, options={"seconds": 0.05}))
    options = ("--lease", "2", "--checkpoint-every", "0.2")
    workers = [start_worker(*options), start_worker(*options, "--checkpoints", "none")]

    def epochs() -> list[int]:
        return [trial.epoch for trial in trials.page(db, study) if trial.state is RunState.RUNNING]

    until(lambda: studies.get(db, "s").counts["running"] == 2 and min(epochs(), default=0) >= 3)
    ended, reached = studies.get(db, "s").counts["complete"], min(epochs(), default=0)
    dump = dumped(superuser_url, tmp_path / "dump")
    until(lambda: min(epochs(), default=0) >= reached + 5 or studies.get(db, "s").counts["complete"] > ended)
    lost = {trial.run_id: trial for trial in trials.page(db, study) if trial.state is RunState.COMPLETE}
    over_the_old_one(superuser_url, dump)
    until(finished(db, "s"))
    for trial in trials.page(db, study):
        assert (trial.state, trial.epoch) == (RunState.COMPLETE, 30)
        losses = [p.epoch for p in curves.of_run(db, trial.run_id) if (p.split, p.metric) == ("val", "loss")]
        assert losses == list(range(1, 31))
        if trial.run_id in lost:  # it was trained again, to the same end
            assert (trial.params, trial.values) == (lost[trial.run_id].params, lost[trial.run_id].values)
    assert audit(db) == []
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(30) for worker in workers] == [0, 0]
