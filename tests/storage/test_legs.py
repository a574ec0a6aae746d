"""Legs amid others: answers that were lost, waits for locks, epochs in the books, and when a search has no more."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import sqlalchemy as sa

from search_spaces.known import OUTSIDE
from search_spaces.optuna.laddered import Ladder
from service.storage.assignments import search_trial
from service.storage.assignments.assignment import Ended
from service.storage.assignments.ladder import ladder_of
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease, StudyRecord
from service.storage.runs import claiming, endings, legs, pausing
from service.storage.states import RunState
from service.storage.studies import cancellation, studies
from tests.storage.climbing import Climber, ladder, paused_study, rows
from tests.storage.queueing import execute

T = TypeVar("T")


def climbed(db: Database, *, to: int, at: int) -> Climber:
    """The climber of a trial that is `at` this epoch of a leg that ends at the epoch `to`."""
    climber = Climber(db)
    while (climber.until, climber.epoch) != (to, at) or climber.lease is None:
        assert climber.move()
    return climber


def test_a_rung_is_reached_once_though_the_answer_was_lost(db: Database) -> None:
    studies.create(db, ladder())
    climber = climbed(db, to=1, at=1)
    while True:  # until one goes on at once
        lease, trial = climber.lease, climber.trial
        assert lease is not None
        assert trial is not None
        written = lease.written.count
        to = pausing.reached(db, lease, 1, cost=1.0 / (1 + lease.place))
        if to is not None:
            break
        assert pausing.reached(db, lease, 1, cost=1.0 / (1 + lease.place)) is None
        pausing.pause(db, lease, trial.progress.best_epoch)
        climber.lease = None
        while climber.lease is None or climber.epoch < 1:
            assert climber.move()
    lease.written.count = written
    assert pausing.reached(db, lease, 1, cost=1.0 / (1 + lease.place)) == to == 3
    assert rows(db, "SELECT epochs, cost IS NULL FROM fleet.legs WHERE run_id = :run ORDER BY 1", run=lease.run_id) == [
        (1, False),
        (3, True),
    ]
    assert rows(db, "SELECT booked FROM fleet.runs WHERE id = :run", run=lease.run_id) == [(3,)]


@pytest.mark.parametrize("end", ["failed", "cancelled", "stopped"])
def test_a_promoted_trial_that_ends_before_its_old_epochs_are_reported_again_has_spent_them(
    db: Database, end: str
) -> None:
    study = studies.create(db, ladder(budget={"trials": 27, "epochs": 100}))
    climber = climbed(db, to=3, at=0)
    assert climber.lease is not None
    run = climber.lease.run_id
    if end == "failed":
        climber._finish(Ended(RunState.FAILED, "by chance"))
    elif end == "cancelled":
        assert climber.trial is not None
        cancellation.cancel(db, "asha", climber.trial.number)
    else:
        climber.leave()
        studies.set_state(db, study.name, "stopped")
    assert rows(db, "SELECT epoch, booked, state FROM fleet.runs WHERE id = :run", run=run) == [
        (0, 1, "failed" if end == "failed" else "cancelled")
    ]
    assert audit(db) == []


def meanwhile(db: Database, call: Callable[[], T], blocker: sa.Connection, change: str) -> T:
    """What a call returns that waits for the blocker, which changes something before it commits."""
    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(call)
        while not rows(db, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert not called.done()
        blocker.execute(sa.text(change))
        blocker.commit()
        return called.result()


def claimed_meanwhile(db: Database, blocker: sa.Connection, change: str) -> Lease | None:
    worker = workers.register(db, "host", 1, "cpu")
    return meanwhile(db, lambda: claiming.claim(db, worker, 60), blocker, change)


def test_no_leg_begins_after_the_study_was_stopped(db: Database) -> None:
    study = studies.create(db, ladder())
    with db.engine.connect() as blocker:
        legs.lock(blocker, study.id)
        assert claimed_meanwhile(db, blocker, "UPDATE fleet.studies SET state = 'stopped'") is None
    assert rows(db, "SELECT count(*) FROM fleet.legs") == [(0,)]


def test_the_leg_of_a_run_that_was_cancelled_meanwhile_has_not_begun(db: Database) -> None:
    study = studies.create(db, ladder())
    climber = Climber(db)
    while (leg := next_leg(db, study)) is None or leg.start == 0:
        assert climber.move()
    before = rows(db, "SELECT count(*) FROM fleet.legs")
    with db.engine.connect() as blocker:
        blocker.execute(sa.text("SELECT 1 FROM fleet.runs WHERE id = :run FOR UPDATE"), {"run": leg.run_id})
        change = f"UPDATE fleet.runs SET state = 'cancelled', finished_at = now() WHERE id = {leg.run_id}"
        assert claimed_meanwhile(db, blocker, change) is None
    assert rows(db, "SELECT count(*) FROM fleet.legs") == before


def test_what_is_paused_outlives_the_end_of_a_search_that_is_extended_meanwhile(db: Database) -> None:
    study, climbers = paused_study(db)
    climbers[1].leave()
    execute(db, "UPDATE fleet.studies SET closing = 'wall time used up'")
    with db.engine.connect() as blocker:
        blocker.execute(sa.text("SELECT 1 FROM fleet.studies FOR UPDATE"))
        change = "UPDATE fleet.studies SET closing = NULL"
        meanwhile(db, lambda: endings._end_paused(db, study.id, float("inf")), blocker, change)
    assert studies.get(db, "asha").counts["paused"] == 2


def test_a_promoted_trial_is_claimed_without_a_look_at_all_legs(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    studies.create(db, ladder())
    climber = climbed(db, to=1, at=0)
    read: list[int] = []

    def noted(database: Database, lease: Lease) -> Ladder:
        read.append(lease.run_id)
        return ladder_of(database, lease)

    monkeypatch.setattr(search_trial, "ladder_of", noted)
    while (climber.until, climber.epoch) != (3, 0) or climber.lease is None:
        read.clear()
        assert climber.move()
    assert read == []
    assert climber.params
    while not read:  # TPE, which looks at trials after its first four, has asked for one
        assert climber.move()


def next_leg(db: Database, study: StudyRecord) -> legs.Leg | None:
    with db.engine.connect() as connection:
        choice = legs.choose(connection, study.id)
    return choice if isinstance(choice, legs.Leg) else None


def one_epoch_left(db: Database, study: StudyRecord) -> None:
    """Bring the study to where a promotion is due, the budget has one epoch left, nothing is in training and nothing is
    kept back: a trial is complete."""
    climber = Climber(db)
    while (
        (leg := next_leg(db, study)) is None
        or leg.start == 0
        or climber.lease is not None
        or not studies.get(db, study.name).counts["complete"]
    ):
        assert climber.move()
    execute(
        db,
        "UPDATE fleet.studies SET definition = jsonb_set(definition, '{budget,epochs}',"
        " to_jsonb(1 + (SELECT sum(booked) FROM fleet.runs)))",
    )


def test_a_new_trial_that_somebody_has_locked_does_not_end_the_search(db: Database) -> None:
    study = studies.create(db, ladder(budget={"trials": 81, "epochs": 300}))
    one_epoch_left(db, study)
    with db.engine.begin() as other:
        other.execute(sa.text("SELECT 1 FROM fleet.runs WHERE state = 'waiting' FOR UPDATE"))
        endings.close_finished_studies(db)
    assert studies.get(db, "asha").closing is None
    leg = next_leg(db, study)
    assert leg is not None
    assert (leg.start, leg.until) == (0, 1)


def test_trials_to_come_do_not_end_the_search(db: Database) -> None:
    study = studies.create(db, ladder(budget={"trials": 81, "epochs": 300}))
    one_epoch_left(db, study)
    [(waiting,)] = rows(db, "SELECT count(*) FROM fleet.runs WHERE state = 'waiting'")
    execute(db, "DELETE FROM fleet.runs WHERE state = 'waiting'")
    execute(db, f"UPDATE fleet.studies SET to_come = {waiting}")
    endings.close_finished_studies(db)
    assert studies.get(db, "asha").closing is None
    assert Climber(db).move()


def test_a_trial_that_is_too_dear_lets_cheaper_ones_by(db: Database) -> None:
    study = studies.create(db, ladder(budget={"trials": 81, "epochs": 300}))
    one_epoch_left(db, study)
    [(head,)] = rows(db, "SELECT min(id) FROM fleet.runs WHERE state = 'waiting'")
    execute(db, f"UPDATE fleet.runs SET given = jsonb_build_object('{OUTSIDE}', true) WHERE id = {head}")
    endings.close_finished_studies(db)
    assert studies.get(db, "asha").closing is None
    lease = claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60)
    assert lease is not None
    assert (lease.run_id, lease.until) == (head + 1, 1)
