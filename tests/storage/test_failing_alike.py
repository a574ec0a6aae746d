"""A study whose first runs fail alike pauses itself, once."""

import threading

import pytest

from search_spaces import Confirmation
from service.storage.audit import Finding, audit
from service.storage.database.database import Database
from service.storage.errors import NotRetryable
from service.storage.runs import holding
from service.storage.runs.endings import close_finished_studies
from service.storage.runs.expiry import expire
from service.storage.runs.failing import ALIKE
from service.storage.states import RunState, StudyState
from service.storage.studies import retrying, studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import at_once, claimed, counts, ended, execute, nothing, pass_time
from tests.storage.test_confirmation import searched

SAME = [
    (
        "FileNotFoundError: no file /tmp/a7/x.csv",
        "FileNotFoundError: no file /data/set",
        "FileNotFoundError: no file /",
    ),
    ("KeyError: 12", "KeyError: 3.5e-7", "KeyError: 0"),
    ("the object at 0x7f00ab is gone", "the object at 0x1234 is gone", "the object at 0xffff is gone"),
    ("lost once: alpha:4711 at 2026-01-02 03:04:05", "lost once: beta:1 at 2026-01-03 1:2:3", "lost once: c:9 at 1 2"),
]


def create(db: Database, trials: int = 10, **more: object) -> None:
    studies.create(db, make_definition("s", trials=trials, **more))


def fails(db: Database, reason: str) -> None:
    holding.finish(db, claimed(db), RunState.FAILED, reason=reason, tell=nothing)


def of_pauses(db: Database) -> list[Finding]:
    return [found for found in audit(db) if "paused" in found.rule or "path" in found.rule or "counts" in found.rule]


@pytest.mark.parametrize("reasons", SAME)
def test_three_alike_pause_the_study(db: Database, reasons: tuple[str, ...]) -> None:
    create(db)
    for reason in reasons[:-1]:
        fails(db, reason)
    assert studies.get(db, "s").state is StudyState.RUNNING
    fails(db, reasons[-1])
    study = studies.get(db, "s")
    assert study.state is StudyState.PAUSED
    assert study.pause is not None
    assert study.pause.startswith(
        f"3 trials in a row failed alike, and none is complete: {reasons[-1]} (mend the cause"
    )
    assert "`pernodedrop retry s`" in study.pause
    assert counts(db, "s") == {"failed": 3, "waiting": 7}
    assert of_pauses(db) == []


def test_it_pauses_once(db: Database) -> None:
    create(db)
    for number in range(ALIKE):
        fails(db, f"no {number}")
    assert studies.set_state(db, "s", "running").pause is None
    for number in range(ALIKE + 1):
        fails(db, f"no {number}")
    assert studies.get(db, "s").state is StudyState.RUNNING
    assert studies.set_state(db, "s", "paused").pause is None
    assert of_pauses(db) == []


def test_a_pause_by_hand_keeps_the_reason_and_a_stop_ends_it(db: Database) -> None:
    create(db)
    for _ in range(ALIKE):
        fails(db, "no")
    assert studies.set_state(db, "s", "paused").pause is not None
    assert studies.set_state(db, "s", "stopped").pause is None
    assert of_pauses(db) == []


@pytest.mark.parametrize("other", ["no memory", RunState.COMPLETE, RunState.PRUNED])
def test_what_is_not_alike_goes_on(db: Database, other: str | RunState) -> None:
    create(db)
    fails(db, "no disk")
    fails(db, "no disk")
    if isinstance(other, RunState):
        ended(db, 0.5, other)
        fails(db, "no disk")
    else:
        fails(db, other)
        fails(db, "no disk")
    assert studies.get(db, "s").state is StudyState.RUNNING


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_where_nothing_waits_the_study_ends_as_failed(db: Database, trials: int) -> None:
    create(db, trials)
    for _ in range(trials):
        fails(db, "no")
    study = studies.get(db, "s")
    assert (study.state, study.pause) == (StudyState.FAILED, None)
    assert study.finished_at is not None


def test_runs_in_training_go_on_and_the_budget_stays(db: Database) -> None:
    create(db)
    runs = [claimed(db) for _ in range(ALIKE + 1)]
    for lease in runs[:ALIKE]:
        holding.finish(db, lease, RunState.FAILED, reason="no", tell=nothing)
    holding.finish(db, runs[-1], RunState.COMPLETE, values=[0.5], tell=nothing)
    assert counts(db, "s") == {"failed": 3, "complete": 1, "waiting": 6}
    assert studies.get(db, "s").state is StudyState.PAUSED


def test_several_that_fail_at_once_pause_it_once(db: Database) -> None:
    create(db)
    runs = [claimed(db) for _ in range(6)]
    together = threading.Barrier(len(runs))

    def fail(number: int) -> None:
        together.wait()
        holding.finish(db, runs[number], RunState.FAILED, reason=f"no {number}", tell=nothing)

    threads = [threading.Thread(target=fail, args=(number,)) for number in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert studies.get(db, "s").state is StudyState.PAUSED
    assert counts(db, "s") == {"failed": 6, "waiting": 4}
    assert of_pauses(db) == []


@pytest.mark.parametrize("first", ["fail", "delete"])
def test_a_deletion_at_that_moment_waits_or_comes_first(db: Database, first: str) -> None:
    create(db)
    fails(db, "no")
    fails(db, "no")
    lease = claimed(db)

    def fail() -> None:
        try:
            holding.finish(db, lease, RunState.FAILED, reason="no", tell=nothing)
        except holding.LeaseLost:
            assert first == "delete"

    at_once(db, lease.study_id, {"fail": fail, "delete": lambda: studies.delete(db, "s")}, first)
    assert studies.count(db) == 0


def test_lost_workers_count_too(db: Database) -> None:
    create(db, retries=0)
    for _ in range(ALIKE):
        claimed(db)
        pass_time(db, 120)
        assert expire(db) == 1
    study = studies.get(db, "s")
    assert study.state is StudyState.PAUSED
    assert "its worker was lost once" in str(study.pause)


def test_a_confirmation_whose_first_runs_fail_alike_pauses(db: Database) -> None:
    searched(db, confirmation=Confirmation(top=2, repeats=2))
    close_finished_studies(db)
    for number in range(ALIKE):
        fails(db, f"no test split {number}")
    study = studies.get(db, "found")
    assert study.state is StudyState.PAUSED
    assert str(study.pause).startswith("3 runs of the confirmation in a row failed alike")
    study, again = retrying.retry(db, "found")
    assert (study.state, study.pause, again) == (StudyState.RUNNING, None, 3)
    assert (study.confirmation["waiting"], study.confirmation["failed"]) == (4, 0)
    assert not [found for found in audit(db) if "paused" in found.rule]  # the search was made up


def test_a_study_at_its_limit_does_not_pause(db: Database) -> None:
    create(db, budget={"trials": 5, "patience": 3})
    for _ in range(ALIKE):
        fails(db, "no")
    study = studies.get(db, "s")
    assert study.finished_at is not None
    assert study.pause is None
    assert study.state is StudyState.FAILED
    execute(db, "UPDATE fleet.studies SET state = 'stopped'")
    with pytest.raises(NotRetryable, match="stopped for good"):
        retrying.retry(db, "s")
