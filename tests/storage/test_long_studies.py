"""Studies of up to a million trials: created, paged, stopped and deleted at once, with exact books at every moment."""

import threading

import optuna
import pytest
import sqlalchemy as sa

from search_spaces import Confirmation
from search_spaces.budget import MOST_TRIALS
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.errors import LeaseLost, NotExtendable
from service.storage.fleet import workers
from service.storage.records import TrialRecord
from service.storage.runs import claiming, counting, endings, holding, removal, supply
from service.storage.runs.endings import close_finished_studies
from service.storage.runs.expiry import expire, tidy
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import extension, studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, counts, ended, execute, nothing, unlike


def scalar(db: Database, statement: str) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(sa.text(statement)).scalar_one())


def rows(db: Database, where: str = "true") -> int:
    return scalar(db, f"SELECT count(*) FROM fleet.runs WHERE {where}")


def is_left(db: Database) -> bool:
    """Whether anything of a study, deleted or not, is in the database."""
    tables = ("fleet.runs", "fleet.run_counts", "fleet.deleted_studies", "fleet.studies", "studies", "trials")
    return any(scalar(db, f"SELECT count(*) FROM {table}") for table in tables)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows for four runs at a time, in twos, and one batch of two of whatever is tidied up."""
    monkeypatch.setattr(supply, "WINDOW", 4)
    monkeypatch.setattr(supply, "BATCH", 2)
    monkeypatch.setattr(counting, "LONGEST", 2)
    for module in (endings, removal):
        monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr("service.storage.studies.studies.REMOVE_S", 0.0)


def stop_slowly(db: Database) -> None:
    """Stop the study "s" and cancel one batch."""
    with db.engine.begin() as connection:
        study = connection.execute(sa.text("UPDATE fleet.studies SET state = 'stopped' RETURNING id")).scalar_one()
        endings.close(connection, study, "study stopped")
    close_finished_studies(db, study, seconds=0)


def test_the_largest_study_is_all_there_with_few_rows(db: Database) -> None:
    study = studies.create(db, make_definition("s", trials=MOST_TRIALS))
    assert counts(db, "s") == {"waiting": MOST_TRIALS}
    assert rows(db) == supply.WINDOW
    assert [(run.state, run.run_id) for run in trials.page(db, study, offset=MOST_TRIALS - 2)] == [("waiting", 0)] * 2
    edge = trials.page(db, study, limit=4, offset=supply.WINDOW - 2)
    assert [run.run_id > 0 for run in edge] == [True, True, False, False]
    assert trials.page(db, study, offset=MOST_TRIALS) == []
    assert len(trials.page(db, study, RunState.WAITING, offset=MOST_TRIALS - 7)) == 7
    assert trials.page(db, study, RunState.CANCELLED) == trials.page(db, study, stage=Stage.CONFIRMATION) == []
    with pytest.raises(NotExtendable, match="must be at most"):
        extension.extend(db, "s", 1)
    assert audit(db) == []


def test_the_largest_study_is_stopped_and_deleted_at_once(db: Database) -> None:
    studies.create(db, make_definition("s", trials=MOST_TRIALS))
    running = claimed(db)
    stopped = studies.set_state(db, "s", "stopped")
    assert stopped.state is StudyState.STOPPED
    assert counts(db, "s") == {"cancelled": MOST_TRIALS - 1, "running": 1}
    holding.finish(db, running, RunState.CANCELLED, tell=nothing)
    stopped = studies.get(db, "s")
    assert (stopped.finished_at is not None, counts(db, "s")) == (True, {"cancelled": MOST_TRIALS})
    last: TrialRecord = trials.page(db, stopped, RunState.CANCELLED, offset=MOST_TRIALS - 1)[0]
    assert (last.state, last.reason) == (RunState.CANCELLED, "study stopped")
    assert audit(db) == []
    studies.delete(db, "s")
    assert not is_left(db)


@pytest.mark.usefixtures("short")
def test_a_long_search_is_claimed_in_order_from_few_rows(db: Database) -> None:
    studies.create(db, make_definition("s", trials=11))
    for ordinal in range(11):
        assert 1 <= rows(db, "state = 'waiting'") <= 4
        assert claimed(db).ordinal == ordinal
        assert counts(db, "s") == {"running": ordinal + 1, **({"waiting": 10 - ordinal} if ordinal < 10 else {})}
    assert claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60) is None
    assert audit(db) == []


@pytest.mark.usefixtures("short")
def test_a_claim_that_finds_no_row_makes_some(db: Database) -> None:
    studies.create(db, make_definition("s", trials=9))
    for _ in range(4):
        claimed(db)
    execute(db, "DELETE FROM fleet.runs WHERE state = 'waiting'")  # as if the claims had died before they added rows
    execute(db, "UPDATE fleet.studies SET to_come = 9 - (SELECT count(*) FROM fleet.runs)")
    assert claimed(db).ordinal == 4
    assert audit(db) == []


@pytest.mark.usefixtures("short")
def test_many_workers_get_every_run_of_a_long_search_once(db: Database, database_url: str) -> None:
    studies.create(db, make_definition("s", trials=60))
    taken: list[int] = []

    def work() -> None:
        with Database.open(database_url) as mine:
            worker = workers.register(mine, "host", 1, "cpu")
            while (lease := claiming.claim(mine, worker, 60)) is not None:
                taken.append(lease.ordinal)
                holding.finish(mine, lease, RunState.FAILED, reason=unlike(lease), tell=nothing)
                expire(mine)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while (lease := claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60)) is not None:  # all had left
        taken.append(lease.ordinal)
        holding.finish(db, lease, RunState.FAILED, reason=unlike(lease), tell=nothing)
    assert sorted(taken) == list(range(60))
    assert counts(db, "s") == {"failed": 60}
    assert studies.get(db, "s").state is StudyState.FAILED
    assert audit(db) == []


@pytest.mark.usefixtures("short")
def test_a_long_search_is_extended_while_it_runs_and_when_it_has_ended(db: Database) -> None:
    studies.create(db, make_definition("s", trials=6))
    assert extension.extend(db, "s", 5).counts["waiting"] == 11
    for ordinal in range(11):
        assert ended(db, None, RunState.FAILED).ordinal == ordinal
    assert studies.get(db, "s").state is StudyState.FAILED
    assert extension.extend(db, "s", 7).counts == {**dict.fromkeys(RunState, 0), "failed": 11, "waiting": 7}
    assert rows(db, "state = 'waiting'") == 4
    assert claimed(db).ordinal == 11
    assert audit(db) == []


@pytest.mark.usefixtures("short")
def test_what_a_limit_leaves_is_cancelled_with_its_reason_and_the_confirmation_begins(db: Database) -> None:
    confirmation = {"top": 1, "repeats": 2}
    studies.create(db, make_definition("s", confirmation=confirmation, budget={"trials": 12, "patience": 1}))
    execute(db, """UPDATE fleet.runs SET params = '{"regularizer": "dropout", "drop_rate": 0.1}'""")
    ended(db, 0.5), ended(db, 0.6)
    now = studies.get(db, "s")
    assert counts(db, "s") == {"complete": 2, "cancelled": 10}
    assert now.confirmation["waiting"] == 1
    everything = trials.page(db, now)
    assert len(everything) == 13
    assert {run.reason for run in everything if run.state is RunState.CANCELLED} == {
        "patience: 1 trials in a row brought no better val_loss"
    }
    assert [run.place for run in trials.confirming(db, now)] == [0]
    assert claimed(db).stage is Stage.CONFIRMATION
    with pytest.raises(NotExtendable):
        extension.extend(db, "s", 5)


@pytest.mark.usefixtures("short")
def test_a_stop_shows_at_once_what_is_cancelled_in_batches(db: Database) -> None:
    studies.create(db, make_definition("s", trials=9))
    stop_slowly(db)
    study = studies.get(db, "s")
    assert rows(db, "state = 'waiting'") == 2
    assert counts(db, "s") == {"cancelled": 9}
    assert study.finished_at is None
    assert {(run.state, run.reason) for run in trials.page(db, study)} == {("cancelled", "study stopped")}
    assert len(trials.page(db, study, RunState.CANCELLED)) == 9
    assert trials.page(db, study, RunState.WAITING) == []
    assert claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60) is None
    assert tidy(db, 0) == (2, True)
    assert tidy(db, 0)[0] == 0
    assert studies.get(db, "s").finished_at is not None
    assert rows(db, "state = 'waiting'") == 0
    assert audit(db) == []


@pytest.mark.usefixtures("short")
def test_runs_that_are_added_while_others_are_cancelled_are_not_cancelled_with_them(db: Database) -> None:
    study = studies.create(db, make_definition("s", trials=3))
    close = sa.text("UPDATE fleet.studies SET closing = 'a limit'")
    with db.engine.begin() as connection:
        connection.execute(close)
    extension.extend(db, "s", 1)  # the limit is not reached: a better value came meanwhile
    assert endings._cancel_waiting(db, study.id, "a limit", float("inf")) == 0
    assert counts(db, "s") == {"waiting": 4}


@pytest.mark.usefixtures("short")
def test_a_deleted_study_is_gone_at_once_and_its_runs_go_in_batches(db: Database) -> None:
    old = studies.create(db, make_definition("s", trials=9))
    for _ in range(4):
        trial = optuna.load_study(study_name="s", storage=db.optuna).ask()
        holding.attach(db, claimed(db), trial._trial_id, trial.number)
    lease = claimed(db)
    studies.delete(db, "s")
    with pytest.raises(LeaseLost):
        holding.renew(db, lease, 60)
    assert rows(db) > 0
    assert studies.page(db) == []
    assert claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60) is None
    assert audit(db) == []
    new = studies.create(db, make_definition("s", trials=1))
    assert claimed(db).study_id == new.id != old.id
    while tidy(db, 0)[1]:
        pass
    assert rows(db) == 1
    assert optuna.get_all_study_names(db.optuna) == ["s"]
    assert len(db.optuna.get_all_trials(new.optuna_study_id)) == 0
    assert audit(db) == []
    studies.delete(db, "s")
    while tidy(db, 0)[1]:
        pass
    assert not is_left(db)


def test_a_run_that_is_claimed_while_its_study_is_deleted_is_removed_as_well(db: Database) -> None:
    studies.create(db, make_definition("s", trials=3))
    worker = workers.register(db, "host", 1, "cpu")
    deletion = threading.Thread(target=studies.delete, args=(db, "s"))
    with db.engine.begin() as claim_in_progress:
        assert claim_in_progress.execute(claiming._BY_THE_FLEET[1], {"worker": worker, "seconds": 60}).one()
        deletion.start()
        deletion.join(0.5)
    deletion.join(60)
    while tidy(db, 0)[1]:
        pass
    assert not is_left(db)


def test_counts_follow_whatever_is_written(db: Database) -> None:
    studies.create(db, make_definition("s", trials=6))
    ended(db, 0.5)
    holding.hand_back(db, claimed(db))
    execute(db, "UPDATE fleet.runs SET state = 'pruned', spent_s = spent_s + ordinal WHERE ordinal > 2")
    execute(db, "DELETE FROM fleet.runs WHERE ordinal = 5")
    execute(db, "UPDATE fleet.studies SET dropped = 1")
    expected = {"complete": 1, "waiting": 2, "pruned": 2, "cancelled": 1}
    assert counts(db, "s") == expected
    assert studies.get(db, "s").device_time_s == pytest.approx(7, abs=1)
    while counting.fold(db, 0):
        pass
    assert counts(db, "s") == expected
    extension.confirm(db, "s", Confirmation(top=1))
    assert not [finding for finding in audit(db) if "counts" in finding.rule]
