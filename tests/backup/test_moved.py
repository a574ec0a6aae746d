"""A study is moved to another Postgres in the middle of its work, and ends there as it would have ended here."""

from pathlib import Path

import pytest

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.embedded import EmbeddedPostgres
from service.storage.errors import LeaseLost
from service.storage.runs import holding
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.backup.conftest import Run
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, counts
from tests.workers.conftest import StartWorker, finished, own_study, until

TRIALS, EPOCHS = 8, 6
PATIENCE_S = 300.0


@pytest.mark.wide
@pytest.mark.timeout(1000)
def test_a_study_that_moves_under_two_workers_ends_exactly(
    db: Database, home: Path, run: Run, start_worker: StartWorker, tmp_path: Path
) -> None:
    study = studies.create(db, own_study("s", trials=TRIALS, epochs=EPOCHS, retries=0, options={"seconds": 0.2}))
    old = [start_worker(db.url) for _ in range(2)]
    until(lambda: counts(db, "s").get("complete", 0) >= 2 and counts(db, "s").get("running", 0) == 2, PATIENCE_S)
    dump = tmp_path / "dump"
    made = run("db", "dump", str(dump), url=db.url)
    assert made.returncode == 0, made.stderr
    assert "1 study" in made.stdout
    assert dump.stat().st_mode & 0o777 == 0o600
    until(finished(db, "s"), PATIENCE_S)  # the old fleet has gone on
    for worker in old:
        worker.kill()
    restored = run("db", "restore", str(dump))
    assert restored.returncode == 0, restored.stderr
    assert "that were in training wait" in restored.stdout
    with EmbeddedPostgres(home / "postgres") as server, Database.open(server.start()) as moved:
        assert audit(moved) == []
        assert counts(moved, "s").get("running", 0) == 0
        assert counts(moved, "s")["complete"] < TRIALS
        for _ in range(2):
            start_worker(moved.url)
        until(finished(moved, "s"), PATIENCE_S)
        assert audit(moved) == []
        here, there = trials.page(db, study), trials.page(moved, studies.get(moved, "s"))
        assert [one.state for one in there] == [RunState.COMPLETE] * TRIALS
        assert {one.attempts for one in there} == {1}  # the move was nobody's failure
        assert [(one.params, one.values) for one in there] == [(one.params, one.values) for one in here]
        for one in there:
            points = curves.of_run(moved, one.run_id)
            losses = [point.epoch for point in points if (point.split, point.metric) == ("val", "loss")]
            assert losses == list(range(1, EPOCHS + 1))


def test_a_holder_of_the_old_world_is_refused_and_its_run_has_all_attempts(
    db: Database, database_url: str, home: Path, run: Run, tmp_path: Path
) -> None:
    studies.create(db, make_definition("s", trials=3, retries=0))
    lease = claimed(db, seconds=600)
    dump = tmp_path / "dump"
    assert run("db", "dump", str(dump), url=database_url).returncode == 0
    restored = run("db", "restore", str(dump))
    assert restored.returncode == 0, restored.stderr
    with EmbeddedPostgres(home / "postgres") as server, Database.open(server.start()) as moved:
        assert counts(moved, "s") == {"waiting": 3}
        with pytest.raises(LeaseLost):
            holding.renew(moved, lease, 60)
        heir = claimed(moved)
        assert (heir.run_id, heir.attempts) == (lease.run_id, 1)
        assert audit(moved) == []
    holding.renew(db, lease, 60)  # its own world goes on
