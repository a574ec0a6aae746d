"""The wall time of a study: it does not pass in a pause, nor while no worker is alive."""

from datetime import UTC, datetime

import pytest

from service.storage.audit import Finding, audit
from service.storage.database.database import Database
from service.storage.errors import IllegalTransition, NotExtendable, NotResumable
from service.storage.fleet import workers
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire, tidy
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies
from service.web.elapsed import elapsed_s
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, counts, ended, execute, nothing, reasons

HOUR = 3600.0
ROOM = 20.0  # s that a test itself may take


def create(db: Database, **more: object) -> None:
    studies.create(db, make_definition("s", budget={"trials": 5, "wall_time": HOUR}, **more))


def age(db: Database, seconds: float, *, alone: bool = False) -> None:
    """Let all of it have happened so much earlier; `alone`: the workers were not alive since."""
    past = f"- interval '{seconds} seconds'"
    columns = ("started_at", "paused_at", "finished_at")
    execute(db, f"UPDATE fleet.studies SET {', '.join(f'{name} = {name} {past}' for name in columns)}")
    if alone:
        execute(db, f"UPDATE fleet.workers SET seen_at = seen_at {past}, stopped_at = stopped_at {past}")


def elapsed(db: Database) -> float:
    return elapsed_s(studies.get(db, "s"), datetime.now(UTC))


def unknown_pauses(db: Database) -> list[Finding]:
    return [found for found in audit(db) if "paused" in found.rule]


def test_the_time_in_a_pause_does_not_count(db: Database) -> None:
    create(db)
    ended(db, 0.5)
    worker = workers.register(db, "host", 1, "cpu")
    age(db, 600)
    studies.set_state(db, "s", "paused")
    studies.set_state(db, "s", "paused")  # a second time changes nothing
    for _ in range(3):
        age(db, 50 * HOUR)
        assert expire(db) == 0
        assert tidy(db, 1.0) == (0, False)
    before = elapsed(db)
    assert studies.set_state(db, "s", "running").counts["waiting"] == 4
    assert elapsed(db) == pytest.approx(before, abs=ROOM)
    assert claiming.claim(db, worker, 60) is not None
    age(db, HOUR)
    assert expire(db) > 0
    assert reasons(db) == {"wall time used up"}
    assert unknown_pauses(db) == []
    execute(db, "UPDATE fleet.studies SET paused_at = now()")
    assert len(unknown_pauses(db)) == 1


def test_a_study_that_was_paused_before_its_first_run_has_all_its_time(db: Database) -> None:
    create(db)
    studies.set_state(db, "s", "paused")
    age(db, 10 * HOUR)
    assert elapsed(db) == 0
    studies.set_state(db, "s", "running")
    ended(db, 0.5)
    assert elapsed(db) < ROOM
    assert expire(db) == 0


def test_the_time_without_any_worker_does_not_count(db: Database) -> None:
    create(db)
    ended(db, 0.5)
    age(db, 40 * HOUR, alone=True)
    assert tidy(db, 1.0) == (0, False)  # the controller alone ends no search
    assert elapsed(db) == pytest.approx(60, abs=ROOM)
    claimed(db)
    assert elapsed(db) == pytest.approx(60, abs=ROOM)
    assert expire(db) == 0


def test_a_pause_and_a_fleet_that_is_away_do_not_count_twice(db: Database) -> None:
    create(db)
    ended(db, 0.5)
    worker = workers.register(db, "host", 1, "cpu")
    age(db, 1000)
    age(db, 10 * HOUR, alone=True)
    studies.set_state(db, "s", "paused")  # in the middle of it
    age(db, 10 * HOUR, alone=True)
    studies.set_state(db, "s", "running")
    age(db, 10 * HOUR, alone=True)
    workers.check_in(db, worker)
    assert elapsed(db) == pytest.approx(1060, abs=ROOM)


def test_a_limit_that_was_reached_before_the_pause_is_said(db: Database) -> None:
    create(db)
    lease = claimed(db)
    age(db, 2 * HOUR)
    studies.set_state(db, "s", "paused")
    with pytest.raises(NotResumable, match="wall time used up; submit it under another name"):
        studies.set_state(db, "s", "running")
    with pytest.raises(NotExtendable, match="wall time used up"):
        extension.extend(db, "s", 5)
    tidy(db, 1.0)
    holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)
    with pytest.raises(
        IllegalTransition, match=r"at its end \(wall time used up\) and cannot become running: `pernodedrop clone"
    ):
        studies.set_state(db, "s", "running")


def test_a_confirmation_can_be_resumed_after_the_search_has_used_its_time_up(db: Database) -> None:
    create(db, confirmation={"top": 1, "repeats": 2})
    lease = claimed(db)
    holding.attach(db, lease, 1000, 0, {"regularizer": "dropout", "drop_rate": 0.1})
    age(db, 2 * HOUR)
    studies.set_state(db, "s", "paused")
    holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)
    study = studies.get(db, "s")
    assert (study.state, study.confirmation["waiting"]) == (StudyState.PAUSED, 1)
    age(db, 10 * HOUR)
    studies.set_state(db, "s", "running")
    confirming = claimed(db)
    age(db, 10 * HOUR)
    assert expire(db) == 0  # a confirmation has no wall time
    holding.finish(db, confirming, RunState.COMPLETE, values=[0.6], tell=nothing)
    assert studies.get(db, "s").state is StudyState.COMPLETE


def test_a_study_that_ended_in_a_pause_is_extended_without_it(db: Database) -> None:
    studies.create(db, make_definition("s", budget={"trials": 1, "wall_time": HOUR}))
    lease = claimed(db)
    age(db, 600)
    studies.set_state(db, "s", "paused")
    age(db, 5 * HOUR)
    holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=nothing)
    age(db, 5 * HOUR)
    study = extension.extend(db, "s", 2)
    assert (study.state, study.counts["waiting"]) == (StudyState.RUNNING, 2)
    assert elapsed(db) == pytest.approx(600, abs=ROOM)
    ended(db, 0.4)
    assert counts(db, "s") == {"complete": 2, "waiting": 1}


def test_a_study_without_a_complete_trial_has_failed_with_the_commonest_reason(db: Database) -> None:
    studies.create(db, make_definition("s", budget={"trials": 4}))
    for reason in ("loss became nan in step 3", "out of memory", "loss became nan in step 12"):
        holding.finish(db, claimed(db), RunState.FAILED, reason=reason, tell=nothing)
    holding.finish(db, claimed(db), RunState.PRUNED, tell=nothing)
    study = studies.get(db, "s")
    assert study.state is StudyState.FAILED
    assert study.failure is not None
    assert study.failure.startswith("no trial is complete (3 failed, 1 pruned): 2 of 3 failed alike: loss became nan")
    with pytest.raises(IllegalTransition):
        studies.set_state(db, "s", "paused")
    extension.extend(db, "s", 1)
    ended(db, 0.5)
    study = studies.get(db, "s")
    assert (study.state, study.failure) == (StudyState.COMPLETE, None)
