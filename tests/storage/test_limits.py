"""The limits that end a search before its last trial: wall time, device time, patience."""

import pytest

from service.storage.database.database import Database
from service.storage.errors import UnknownWorker
from service.storage.fleet import workers
from service.storage.runs import claiming, history, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState, StudyState
from service.storage.studies import studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, counts, ended, execute, nothing, pass_time, reasons

NOTHING_BETTER = "patience: 3 trials in a row brought no better val_loss"


def create(db: Database, trials: int = 10, **budget: float) -> None:
    studies.create(db, make_definition("limited", budget={"trials": trials, **budget}))


def test_device_time_is_what_holders_had_all_together(db: Database) -> None:
    create(db)
    first = claimed(db)
    pass_time(db, 10)
    holding.hand_back(db, first)
    again = claimed(db)
    assert again.run_id == first.run_id
    pass_time(db, 5)
    assert studies.get(db, "limited").device_time_s == pytest.approx(15, abs=2)
    holding.finish(db, again, RunState.COMPLETE, tell=nothing)
    assert studies.get(db, "limited").device_time_s == pytest.approx(15, abs=2)


def test_a_lost_holders_share_ends_with_its_lease(db: Database) -> None:
    create(db)
    claimed(db, seconds=60)
    pass_time(db, 1000)
    assert studies.get(db, "limited").device_time_s == pytest.approx(60, abs=2)
    claimed(db)
    pass_time(db, 7)
    assert studies.get(db, "limited").device_time_s == pytest.approx(67, abs=2)


def test_device_time_used_up_cancels_what_waits_and_lets_trials_end(db: Database) -> None:
    create(db, device_time=100)
    others = [claimed(db), claimed(db)]
    pass_time(db, 45)
    ended(db)
    assert counts(db, "limited") == {"waiting": 7, "running": 2, "complete": 1}
    pass_time(db, 10)
    ended(db)
    assert counts(db, "limited") == {"cancelled": 6, "running": 2, "complete": 2}
    assert reasons(db) == {"device_time: 100 s used up"}
    for lease in others:
        holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    assert studies.get(db, "limited").state is StudyState.COMPLETE


def test_device_time_is_seen_by_whoever_is_alive(db: Database) -> None:
    create(db, device_time=50.5)
    claimed(db, seconds=600)
    assert expire(db) == 0
    pass_time(db, 60)
    assert expire(db) == 9
    assert reasons(db) == {"device_time: 50.5 s used up"}


def test_patience_ends_a_search_that_finds_nothing_better(db: Database) -> None:
    create(db, patience=3)
    for value in (0.5, 0.6, 0.7, 0.4, 0.4, 0.9):
        ended(db, value)
    assert counts(db, "limited") == {"waiting": 4, "complete": 6}
    ended(db, 0.41)
    assert counts(db, "limited") == {"cancelled": 3, "complete": 7}
    assert reasons(db) == {NOTHING_BETTER}
    assert studies.get(db, "limited").state is StudyState.COMPLETE


def test_patience_knows_the_direction(db: Database) -> None:
    objectives = [{"metric": "val_accuracy", "direction": "maximize"}]
    studies.create(db, make_definition("limited", budget={"trials": 10, "patience": 2}, objectives=objectives))
    for value in (0.5, 0.6, 0.7, 0.1):
        ended(db, value)
    assert counts(db, "limited") == {"waiting": 6, "complete": 4}
    ended(db, 0.7)  # as good is not better
    assert counts(db, "limited") == {"cancelled": 5, "complete": 5}
    assert reasons(db) == {"patience: 2 trials in a row brought no better val_accuracy"}


def test_pruned_and_failed_trials_brought_nothing_better_either(db: Database) -> None:
    create(db, patience=3)
    ended(db, 0.5)
    ended(db, 0.1, RunState.PRUNED)
    ended(db, None, RunState.FAILED)
    assert counts(db, "limited")["waiting"] == 7
    ended(db, None, RunState.FAILED)
    assert counts(db, "limited") == {"cancelled": 6, "complete": 1, "pruned": 1, "failed": 2}


def test_a_search_without_any_value_runs_out_of_patience_too(db: Database) -> None:
    create(db, patience=3)
    for _ in range(3):
        ended(db, None, RunState.FAILED)
    assert counts(db, "limited") == {"cancelled": 7, "failed": 3}


def test_without_limits_nothing_is_cancelled(db: Database) -> None:
    create(db, trials=3)
    for value in (0.1, 0.2):
        ended(db, value)
    pass_time(db, 1e6)
    assert expire(db) == 0
    assert counts(db, "limited") == {"waiting": 1, "complete": 2}


def test_what_is_handed_back_after_the_limit_is_cancelled(db: Database) -> None:
    create(db, trials=2, device_time=10)
    lease = claimed(db)
    pass_time(db, 20)
    holding.hand_back(db, lease)
    assert counts(db, "limited") == {"cancelled": 2}
    assert studies.get(db, "limited").finished_at is not None
    assert [attempt.state for attempt in history.of_run(db, lease.run_id)] == ["preempted"]


def test_a_search_at_its_limit_is_confirmed_all_the_same(db: Database) -> None:
    budget = {"trials": 4, "device_time": 10}
    studies.create(db, make_definition("limited", budget=budget, confirmation={"top": 1, "repeats": 2}))
    lease = claimed(db)
    holding.attach(db, lease, 1000, 0, {"regularizer": "dropout", "drop_rate": 0.1})
    pass_time(db, 20)
    holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)
    assert counts(db, "limited") == {"cancelled": 3, "complete": 1}
    study = studies.get(db, "limited")
    assert (study.state, study.confirmation["waiting"]) == (StudyState.RUNNING, 1)
    assert expire(db) == 0
    confirming = claimed(db)
    pass_time(db, 100)
    holding.finish(db, confirming, RunState.COMPLETE, values=[0.6], tell=nothing)
    study = studies.get(db, "limited")
    assert (study.state, study.confirmation["complete"]) == (StudyState.COMPLETE, 1)
    assert study.device_time_s == pytest.approx(20, abs=2)  # of the search


def test_workers_that_nobody_names_are_forgotten_after_a_day(db: Database) -> None:
    create(db, trials=2)
    holder, idle, gone = (workers.register(db, name, 1, "cpu") for name in ("holder", "idle", "gone"))
    assert claiming.claim(db, holder, 60) is not None
    workers.leave(db, gone)
    execute(db, "UPDATE fleet.workers SET seen_at = now() - interval '25 hours'")
    execute(db, "UPDATE fleet.workers SET stopped_at = seen_at WHERE stopped_at IS NOT NULL")
    workers.register(db, "new", 1, "cpu")
    assert workers.check_in(db, holder)
    with pytest.raises(UnknownWorker):
        workers.check_in(db, idle)
    with pytest.raises(UnknownWorker):
        workers.may_stay(db, gone)
