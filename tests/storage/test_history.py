"""The history of a run: its attempts, with their workers and ends."""

import pytest

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, history, holding
from service.storage.runs.expiry import expire
from service.storage.states import AttemptState, RunState
from service.storage.studies import studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, nothing, pass_time


def told(db: Database, run_id: int) -> list[tuple[int, str, str | None, str | None]]:
    return [(one.number, one.state, one.worker, one.reason) for one in history.of_run(db, run_id)]


def claim_as(db: Database, host: str, pid: int) -> Lease:
    lease = claiming.claim(db, workers.register(db, host, pid, "cpu"), 60)
    assert lease is not None
    return lease


def test_a_run_tells_of_every_attempt(db: Database) -> None:
    studies.create(db, make_definition("told", trials=1))
    holding.hand_back(db, claim_as(db, "a", 1), "no memory left")
    lost = claim_as(db, "b", 2)
    pass_time(db, 100)
    heir = claim_as(db, "c", 3)
    assert told(db, heir.run_id) == [
        (1, "preempted", "a:1", "no memory left"),
        (1, "lost", "b:2", None),
        (2, "running", "c:3", None),
    ]
    holding.finish(db, heir, RunState.FAILED, reason="loss became nan", tell=nothing)
    assert told(db, lost.run_id)[-1] == (2, "failed", "c:3", "loss became nan")
    times = [(one.started_at, one.ended_at) for one in history.of_run(db, heir.run_id)]
    assert all(ended_at is not None and started_at <= ended_at for started_at, ended_at in times)
    assert times == sorted(times)


def test_a_repeated_claim_of_one_worker_is_one_attempt(db: Database) -> None:
    studies.create(db, make_definition("told", trials=1))
    worker = workers.register(db, "a", 1, "cpu")
    claiming.claim(db, worker, 60)
    lease = claiming.claim(db, worker, 60)
    assert lease is not None
    assert told(db, lease.run_id) == [(1, "running", "a:1", None)]


@pytest.mark.parametrize("state", [RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED])
def test_every_end_is_told(db: Database, state: RunState) -> None:
    studies.create(db, make_definition("told", trials=1))
    lease = claimed(db)
    holding.finish(db, lease, state, tell=nothing)
    [attempt] = history.of_run(db, lease.run_id)
    assert attempt.state is AttemptState(state)


def test_a_waiting_run_has_no_attempt(db: Database) -> None:
    study = studies.create(db, make_definition("told", trials=1))
    [trial] = trials.page(db, study)
    assert history.of_run(db, trial.run_id) == []
    studies.set_state(db, "told", "stopped")
    assert history.of_run(db, trial.run_id) == []


def test_a_run_that_fails_after_its_retries_names_all_its_attempts(db: Database) -> None:
    study = studies.create(db, make_definition("told", trials=1, retries=2))
    holding.hand_back(db, claim_as(db, "preempted", 9))
    for pid in (1, 2, 3):
        lease = claim_as(db, "node", pid)
        pass_time(db, 100)
    assert expire(db) == 1
    [trial] = trials.page(db, study)
    assert trial.state is RunState.FAILED
    assert trial.reason is not None
    assert trial.reason.startswith("its worker was lost 3 times (retries used up): node:1 at ")
    assert [f"node:{pid} at " in trial.reason for pid in (1, 2, 3)] == [True] * 3
    assert "preempted:9" not in trial.reason
    states = [one.state for one in history.of_run(db, lease.run_id)]
    assert states == ["preempted", "lost", "lost", "failed"]
