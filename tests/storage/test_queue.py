"""The queue's promises: exact budgets, one holder at a time, stale holders refused."""

import threading
import time
import uuid

import pytest
import sqlalchemy as sa

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.errors import LeaseLost, UnknownWorker
from service.storage.fleet import workers
from service.storage.records import CurvePoint
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState, StudyState
from service.storage.studies import curves, studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, nothing


@pytest.fixture
def worker(db: Database) -> str:
    return workers.register(db, "host", 1, "cpu")


def test_runs_are_leased_in_order_and_only_once(db: Database, definition: StudyDefinition, worker: str) -> None:
    studies.create(db, definition)
    leases = [claimed(db) for _ in range(4)]
    assert [lease.ordinal for lease in leases] == [0, 1, 2, 3]
    assert all((lease.token, lease.attempts) == (1, 1) for lease in leases)
    assert claiming.claim(db, worker, 60) is None


def test_many_claimers_share_a_queue_without_doubles(db: Database, database_url: str, worker: str) -> None:
    studies.create(db, make_definition("race", trials=60))
    taken: list[int] = []

    def take_all() -> None:
        with Database.open(database_url) as mine:
            while lease := claiming.claim(mine, workers.register(mine, "host", 1, "cpu"), 60):
                taken.append(lease.ordinal)

    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(60))


def test_a_study_is_complete_when_its_last_run_ends(db: Database, definition: StudyDefinition, worker: str) -> None:
    studies.create(db, definition)
    states = [RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.COMPLETE]
    for state in states:
        assert studies.get(db, "storage").state is StudyState.RUNNING
        holding.finish(db, claimed(db), state, reason="why", tell=nothing)
    study = studies.get(db, "storage")
    assert study.state is StudyState.COMPLETE
    assert study.finished_at is not None
    assert study.started_at is not None
    assert dict(study.counts) == {
        "waiting": 0, "running": 0, "complete": 2, "pruned": 1, "failed": 1, "cancelled": 0, "paused": 0,
    }  # fmt: skip


def test_a_dead_holders_run_is_taken_over_and_the_holder_refused(
    db: Database, definition: StudyDefinition, worker: str
) -> None:
    studies.create(db, definition)
    dead = claimed(db, seconds=0.05)
    time.sleep(0.1)
    heir = claimed(db)
    assert (heir.run_id, heir.token, heir.attempts) == (dead.run_id, dead.token + 1, 2)

    point = CurvePoint(1, 0, "val", "loss", 0.5)
    told: list[str] = []
    with pytest.raises(LeaseLost):
        holding.renew(db, dead, 60)
    with pytest.raises(LeaseLost):
        holding.record_epoch(db, dead, 1, [point])
    with pytest.raises(LeaseLost):
        holding.attach(db, dead, 1, 0)
    with pytest.raises(LeaseLost):
        holding.note_facts(db, dead, {"backend": "mask"})
    with pytest.raises(LeaseLost):
        holding.hand_back(db, dead)
    with pytest.raises(LeaseLost):
        holding.finish(db, dead, RunState.COMPLETE, tell=lambda: told.append("dead"))
    assert told == []
    assert curves.of_run(db, dead.run_id) == []
    holding.record_epoch(db, heir, 1, [point])
    holding.finish(db, heir, RunState.COMPLETE, tell=lambda: told.append("heir"))
    assert told == ["heir"]


def test_a_renewed_lease_is_not_taken_over(db: Database, worker: str) -> None:
    studies.create(db, make_definition("renewed", trials=1))
    lease = claimed(db, seconds=0.05)
    assert holding.renew(db, lease, 60) is StudyState.RUNNING
    time.sleep(0.1)
    assert claiming.claim(db, worker, 60) is None


def test_a_worker_that_claims_again_gets_the_run_it_holds(db: Database, worker: str) -> None:
    studies.create(db, make_definition("answer-lost", retries=0))
    lost, again = claiming.claim(db, worker, 60), claiming.claim(db, worker, 60)
    assert lost is not None
    assert again is not None
    assert (again.run_id, again.token, again.attempts) == (lost.run_id, 2, 1)
    assert studies.get(db, "answer-lost").counts["running"] == 1


def test_a_run_lost_more_often_than_its_retries_fails(db: Database, worker: str) -> None:
    studies.create(db, make_definition("poison", trials=1, retries=1))
    for attempt in (1, 2):
        assert claimed(db, seconds=0.01).attempts == attempt
        time.sleep(0.05)
    assert claiming.claim(db, worker, 60) is None
    assert expire(db) == 1
    study = studies.get(db, "poison")
    assert study.state is StudyState.FAILED
    [trial] = trials.page(db, study)
    assert (trial.state, trial.attempts) == (RunState.FAILED, 2)
    assert trial.reason is not None
    assert "lost 2 times" in trial.reason


def test_handing_back_costs_no_attempt(db: Database, worker: str) -> None:
    studies.create(db, make_definition("back", trials=1, retries=0))
    for token in range(1, 5):
        lease = claimed(db)
        assert (lease.token, lease.attempts) == (token, 1)
        holding.hand_back(db, lease)
    assert studies.get(db, "back").counts["waiting"] == 1


def test_an_end_whose_answer_was_lost_may_be_repeated(db: Database, worker: str) -> None:
    studies.create(db, make_definition("again", trials=2))
    told: list[str] = []
    lease = claimed(db)
    for _ in range(2):
        holding.finish(db, lease, RunState.COMPLETE, tell=lambda: told.append("once"))
    assert told == ["once"]
    with pytest.raises(LeaseLost):
        holding.finish(db, lease, RunState.FAILED, tell=lambda: told.append("otherwise"))
    back = claimed(db)
    for _ in range(2):
        holding.hand_back(db, back)
    assert claimed(db).run_id == back.run_id
    with pytest.raises(LeaseLost):
        holding.hand_back(db, back)
    assert told == ["once"]


def test_a_failing_tell_leaves_the_run_leased(db: Database, worker: str) -> None:
    studies.create(db, make_definition("untold", trials=1))
    lease = claimed(db)

    def away() -> None:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        holding.finish(db, lease, RunState.COMPLETE, tell=away)
    assert studies.get(db, "untold").counts["running"] == 1
    holding.finish(db, lease, RunState.COMPLETE, tell=nothing)


def test_paused_and_stopped_studies_lease_nothing(db: Database, worker: str) -> None:
    studies.create(db, make_definition("first"))
    studies.create(db, make_definition("second"))
    studies.set_state(db, "first", "paused")
    second = studies.get(db, "second")
    running = claimed(db)
    assert running.study_id == second.id
    studies.set_state(db, "first", "running")
    assert claimed(db).study_id == studies.get(db, "first").id
    studies.set_state(db, "second", "stopped")
    assert holding.renew(db, running, 60) is StudyState.STOPPED
    assert studies.get(db, "second").counts["cancelled"] == 3
    holding.finish(db, running, RunState.CANCELLED, reason="study stopped", tell=nothing)
    assert studies.get(db, "second").finished_at is not None


def test_wall_time_cancels_what_waits(db: Database, worker: str) -> None:
    studies.create(db, make_definition("short", budget={"trials": 3, "wall_time": 0.05}))
    lease = claimed(db)
    time.sleep(0.1)
    assert claiming.claim(db, worker, 60) is None
    assert expire(db) == 2
    holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    study = studies.get(db, "short")
    assert study.state is StudyState.COMPLETE
    assert (study.counts["complete"], study.counts["cancelled"]) == (1, 2)


def test_curves_are_written_once_an_epoch_and_dropped_for_a_new_attempt(db: Database, worker: str) -> None:
    studies.create(db, make_definition("curves", trials=1))
    lease = claimed(db)
    points = [CurvePoint(1, 0, "val", "loss", 0.5), CurvePoint(1, 0, "val", "accuracy", 0.9)]
    holding.record_epoch(db, lease, 1, points)
    holding.record_epoch(db, lease, 1, [CurvePoint(1, 0, "val", "loss", 0.4), points[1]])
    stored = curves.of_run(db, lease.run_id)
    assert {(p.metric, p.value) for p in stored} == {("loss", 0.4), ("accuracy", 0.9)}
    study = studies.get(db, "curves")
    assert curves.of_study(db, study.id) == {lease.run_id: stored}
    assert [p.metric for p in curves.of_study(db, study.id, [("val", "loss")])[lease.run_id]] == ["loss"]
    holding.attach(db, lease, 7, 0)
    assert curves.of_run(db, lease.run_id) == []


def test_deleting_a_study_ends_its_leases(db: Database, worker: str) -> None:
    studies.create(db, make_definition("gone"))
    lease = claimed(db)
    studies.delete(db, "gone")
    with pytest.raises(LeaseLost):
        holding.renew(db, lease, 60)
    with db.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM fleet.runs")).scalar_one() == 0


def test_an_unknown_worker_leases_nothing(db: Database, definition: StudyDefinition) -> None:
    studies.create(db, definition)
    with pytest.raises(UnknownWorker):
        claiming.claim(db, str(uuid.uuid4()), 60)
    assert studies.get(db, "storage").counts["waiting"] == 4


def test_what_a_stale_holder_would_ask_for_is_not_asked(db: Database) -> None:
    studies.create(db, make_definition("stale", trials=1))
    stale = claimed(db, seconds=0.05)
    time.sleep(0.1)
    heir = claimed(db)
    asked: list[str] = []
    with pytest.raises(LeaseLost):
        holding.under_lease(db, stale, lambda: asked.append("stale"))
    holding.under_lease(db, heir, lambda: asked.append("heir"))
    assert asked == ["heir"]
