"""A database that was set back to an earlier state refuses the holders whose writes it does not have."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState
from starlette.testclient import TestClient

from service.dashboard.optuna.pages import optuna_pages
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.database.patience import patiently
from service.storage.errors import LeaseLost, UnknownWorker
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import CurvePoint, Lease
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState
from service.storage.studies import curves, studies
from tests.dumps import RESTORES, Restore, dumped, into_emptied_tables, over_the_old_one
from tests.storage.conftest import make_definition
from tests.storage.examined import examination
from tests.storage.queueing import claimed, counts, execute, nothing, pass_time


@pytest.fixture
def set_back(superuser_url: str, tmp_path: Path) -> Iterator[Callable[[], Callable[[Restore], None]]]:
    """Dump the database when called, and restore that when the result is called."""

    def dump() -> Callable[[Restore], None]:
        file = dumped(superuser_url, tmp_path / "dump")
        return lambda restore: restore(superuser_url, file)

    yield dump


Dump = Callable[[], Callable[[Restore], None]]


def trained(db: Database, lease: Lease, epoch: int) -> None:
    holding.record_epoch(db, lease, epoch, [CurvePoint(epoch, 0, "val", "loss", 1 / epoch)])


def refused(db: Database, lease: Lease) -> None:
    """Every write of the holder raises LeaseLost and changes nothing."""
    writes: list[Callable[[], object]] = [
        lambda: holding.renew(db, lease, 60),
        lambda: holding.under_lease(db, lease, pytest.fail),
        lambda: holding.attach(db, lease, 1000, 0),
        lambda: holding.note_facts(db, lease, {"device": "cpu"}),
        lambda: trained(db, lease, 3),
        lambda: holding.record_examination(db, lease, examination(lease)),
        lambda: holding.finish(db, lease, RunState.COMPLETE, tell=pytest.fail),
        lambda: holding.hand_back(db, lease),
    ]
    before = rows(db)
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert rows(db) == before


def rows(db: Database) -> list[tuple[object, ...]]:
    with db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT * FROM fleet.runs ORDER BY id"))]


@pytest.mark.parametrize("restore", RESTORES, ids=lambda restore: restore.__name__)
def test_of_two_holders_with_one_token_only_one_writes(db: Database, set_back: Dump, restore: Restore) -> None:
    studies.create(db, make_definition("s", trials=4, retries=3))
    went_on, rested, lost = claimed(db), claimed(db), claimed(db)
    for lease in (went_on, rested, lost):
        trained(db, lease, 1)
    set_to_the_dump = set_back()
    trained(db, went_on, 2)
    later = claimed(db)
    trained(db, later, 1)
    pass_time(db, 600)
    for lease in (went_on, rested, later):
        holding.renew(db, lease, 600)
    heir = claimed(db)
    assert (heir.run_id, heir.token) == (lost.run_id, lost.token + 1)
    set_to_the_dump(restore)

    patiently(db.ping)  # the pool has connections to what was dropped
    refused(db, went_on)
    refused(db, later)
    refused(db, heir)
    trained(db, rested, 2)  # the database has all that it wrote
    pass_time(db, 600)
    holding.renew(db, rested, 600)
    twins = [claimed(db) for _ in range(3)]
    assert {(lease.run_id, lease.token) for lease in twins} == {
        (went_on.run_id, went_on.token + 1),
        (later.run_id, later.token),
        (heir.run_id, heir.token),
    }
    for lease in (went_on, later, heir):
        refused(db, lease)
    for lease in twins:
        holding.attach(db, lease, None, None)
        for epoch in (1, 2, 3):
            trained(db, lease, epoch)
    trained(db, rested, 3)
    assert [[p.epoch for p in curves.of_run(db, lease.run_id)] for lease in (*twins, rested)] == [[1, 2, 3]] * 4
    assert audit(db) == []


def test_a_run_that_ended_since_is_trained_again_by_another_holder(db: Database, set_back: Dump) -> None:
    studies.create(db, make_definition("s", trials=1))
    first = claimed(db)
    set_to_the_dump = set_back()
    holding.finish(db, first, RunState.FAILED, reason="why", tell=nothing)
    assert studies.get(db, "s").finished_at is not None
    set_to_the_dump(over_the_old_one)
    assert counts(db, "s") == {"running": 1}
    pass_time(db, 600)
    heir = claimed(db)
    assert (heir.run_id, heir.attempts) == (first.run_id, 2)
    refused(db, first)
    holding.finish(db, heir, RunState.FAILED, reason="why", tell=nothing)
    assert audit(db) == []


def looked_at(db: Database, study: int) -> bool:
    """Show Optuna's page of the study."""
    return TestClient(optuna_pages(db)).get(f"/api/studies/{study}", params={"after": 0}).is_success


@pytest.mark.parametrize("notices", ["claim", "sweep", "page"])
@pytest.mark.parametrize("restore", [over_the_old_one, into_emptied_tables], ids=lambda restore: restore.__name__)
def test_what_optuna_was_told_since_is_forgotten(db: Database, set_back: Dump, restore: Restore, notices: str) -> None:
    study = studies.create(db, make_definition("s", trials=3)).optuna_study_id
    claimed(db, seconds=600)
    ids = [optuna_trials.create(db, study, run) for run in (1, 2)]
    set_to_the_dump = set_back()
    ids.append(optuna_trials.create(db, study, 3))
    for trial_id in ids:
        db.optuna.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5])
    assert [told.state for told in db.optuna.get_all_trials(study)] == [TrialState.COMPLETE] * 3
    set_to_the_dump(restore)
    match notices:
        case "claim":
            assert claimed(db)
        case "sweep":
            assert expire(db) == 0
        case _:
            assert looked_at(db, study)
    assert [told.state for told in db.optuna.get_all_trials(study)] == [TrialState.RUNNING] * 2
    assert db.optuna.get_trial(ids[0]).state is TrialState.RUNNING
    assert optuna_trials.create(db, study, 4) == ids[2]  # another trial of the same id


def test_a_server_that_starts_again_costs_no_holder_its_run(db: Database) -> None:
    studies.create(db, make_definition("s", trials=2))
    lease = claimed(db)
    trained(db, lease, 1)
    db.heed("another start")
    claimed(db)
    trained(db, lease, 2)
    assert holding.renew(db, lease, 60) == "running"


def test_an_answer_that_was_lost_is_no_restored_dump(db: Database) -> None:
    """The write is committed, but its holder has not heard of that and repeats it."""
    studies.create(db, make_definition("s", trials=1))
    lease = claimed(db)
    trained(db, lease, 1)
    lease.written.count -= 1
    trained(db, lease, 1)
    assert holding.renew(db, lease, 60) == "running"
    lease.written.count += 1
    refused(db, lease)


def test_a_worker_that_the_dump_does_not_know_is_told_so(db: Database, set_back: Dump) -> None:
    studies.create(db, make_definition("s", trials=1))
    set_to_the_dump = set_back()
    worker = workers.register(db, "host", 1, "cpu")
    set_to_the_dump(over_the_old_one)
    with pytest.raises(UnknownWorker):
        claiming.claim(db, worker, 60)


def test_nothing_is_claimed_or_written_before_the_dump_is_wholly_restored(db: Database) -> None:
    """pg_restore makes the triggers last; a run that changed before would have no history."""
    studies.create(db, make_definition("s", trials=2, retries=0))
    lease = claimed(db)
    worker = workers.register(db, "host", 1, "cpu")
    execute(db, "DROP TRIGGER run_history ON fleet.runs")
    pass_time(db, 600)
    known = db._incarnation
    assert claiming.claim(db, worker, 60) is None
    assert db._incarnation == known  # else the cached trials were read again at each claim
    assert expire(db) == 0
    with pytest.raises(LeaseLost):
        holding.hand_back(db, lease)
    assert audit(db) == []
