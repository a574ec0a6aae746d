"""The effects of pause, resume, stop, cancel and delete, also on simultaneous events."""

import pytest
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler

from service.storage.database.database import Database
from service.storage.errors import LeaseLost, TrialEnded, UnknownStudy, UnknownTrial
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import Lease
from service.storage.runs import asking, claiming, holding
from service.storage.runs.expiry import expire, tidy
from service.storage.states import RunState, StudyState
from service.storage.studies import cancellation, studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import Waiting, claimed, counts, nothing, noting, reasons


@pytest.fixture
def worker(db: Database) -> str:
    return workers.register(db, "host", 1, "cpu")


def create(db: Database, trials: int = 3, **parts: object) -> int:
    return studies.create(db, make_definition("s", trials=trials, **parts)).id


def attached(db: Database, number: int = 0) -> Lease:
    """A run that has become trial `number`; 1000 + number is nobody's trial in Optuna's tables."""
    lease = claimed(db)
    holding.attach(db, lease, 1000 + number, number)
    return lease


# --- pause and resume


def test_a_pause_holds_what_waits_and_lets_the_running_end(db: Database, worker: str) -> None:
    create(db)
    running = claimed(db)
    assert studies.set_state(db, "s", "paused").state is StudyState.PAUSED
    assert claiming.claim(db, worker, 60) is None
    assert holding.renew(db, running, 60) is StudyState.PAUSED
    holding.finish(db, running, RunState.COMPLETE, tell=nothing)
    assert counts(db, "s") == {"waiting": 2, "complete": 1}
    studies.set_state(db, "s", "running")
    assert claiming.claim(db, worker, 60) is not None


def test_a_run_that_is_claimed_while_its_study_is_paused_goes_on(db: Database, worker: str) -> None:
    create(db)
    with db.engine.begin() as claim_in_progress:
        claim_in_progress.execute(claiming._BY_THE_FLEET[1], {"worker": worker, "seconds": 60})
        studies.set_state(db, "s", "paused")
    assert counts(db, "s") == {"waiting": 2, "running": 1}
    assert claiming.claim(db, workers.register(db, "host", 2, "cpu"), 60) is None


def test_a_paused_study_can_end_by_its_last_run(db: Database) -> None:
    create(db, trials=1)
    lease = claimed(db)
    studies.set_state(db, "s", "paused")
    holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    assert studies.get(db, "s").state is StudyState.COMPLETE


# --- stop


def test_a_stop_does_not_wait_for_a_claim_in_progress_and_its_holder_hears_of_it(db: Database, worker: str) -> None:
    create(db)
    with db.engine.begin() as claim_in_progress:
        run = claim_in_progress.execute(claiming._BY_THE_FLEET[1], {"worker": worker, "seconds": 60}).one()
        assert studies.set_state(db, "s", "stopped").state is StudyState.STOPPED
    assert counts(db, "s") == {"cancelled": 2, "running": 1}
    study = studies.get(db, "s")
    place = (run.run_id, run.study_id, run.ordinal, run.place, run.token)
    lease = Lease(*place, 1, None, None, run.claim, study.definition, study.optuna_study_id)
    assert holding.renew(db, lease, 60) is StudyState.STOPPED
    holding.finish(db, lease, RunState.CANCELLED, reason="study stopped", tell=nothing)
    assert studies.get(db, "s").finished_at is not None


def test_a_run_that_ends_before_it_hears_of_the_stop_keeps_its_result(db: Database) -> None:
    create(db)
    lease = claimed(db)
    studies.set_state(db, "s", "stopped")
    holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    assert counts(db, "s") == {"cancelled": 2, "complete": 1}
    assert studies.get(db, "s").finished_at is not None


def test_a_run_handed_back_to_a_stopped_study_is_cancelled(db: Database) -> None:
    create(db)
    lease = claimed(db)
    studies.set_state(db, "s", "stopped")
    holding.hand_back(db, lease)
    assert counts(db, "s") == {"cancelled": 3}
    assert reasons(db) == {"study stopped"}
    assert studies.get(db, "s").finished_at is not None


def test_a_run_handed_back_in_the_moment_of_the_stop_is_cancelled_by_whoever_is_alive(db: Database) -> None:
    create(db)
    lease = claimed(db)
    with db.engine.begin() as hand_back_in_progress:  # of a worker that dies after its commit
        hand_back_in_progress.execute(holding._HAND_BACK, {**holding.key(lease), "forgiven": 1, "reason": None})
        studies.set_state(db, "s", "stopped")
    assert counts(db, "s") == {"cancelled": 3}  # as it will be, though one row waits
    assert studies.get(db, "s").finished_at is None
    assert expire(db) == 1
    assert counts(db, "s") == {"cancelled": 3}
    assert studies.get(db, "s").finished_at is not None


@pytest.mark.parametrize("who", ["the order", "the controller"])
def test_a_stop_leaves_no_optuna_trial_running_though_no_worker_is_there(db: Database, who: str) -> None:
    create(db, trials=1)
    lease = claimed(db)
    study = optuna_trials.load_study(db, lease.optuna_study_id, RandomSampler(), NopPruner())
    holding.attach(db, lease, asking.ask(db, study, lease), 0)
    if who == "the order":
        holding.hand_back(db, lease)
        studies.set_state(db, "s", "stopped")
    else:
        studies.set_state(db, "s", "stopped")
        holding.hand_back(db, lease)
        tidy(db, 1.0)
    assert counts(db, "s") == {"cancelled": 1}
    assert [(told.state.name, optuna_trials.reason_of(told)) for told in study.trials] == [("FAIL", "study stopped")]


# --- cancel one trial


def test_a_cancelled_trial_ends_at_once_and_its_holder_is_refused(db: Database) -> None:
    create(db)
    lease = attached(db)
    cancellation.cancel(db, "s", 0)
    cancellation.cancel(db, "s", 0)
    assert counts(db, "s") == {"cancelled": 1, "waiting": 2}
    assert reasons(db) == {"cancelled by hand"}
    with pytest.raises(LeaseLost):
        holding.renew(db, lease, 60)
    with pytest.raises(LeaseLost):
        holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
    with pytest.raises(LeaseLost):
        holding.hand_back(db, lease)
    assert counts(db, "s") == {"cancelled": 1, "waiting": 2}


def test_a_trial_that_was_handed_back_can_be_cancelled(db: Database) -> None:
    create(db, trials=1)
    holding.hand_back(db, attached(db))
    cancellation.cancel(db, "s", 0)
    assert counts(db, "s") == {"cancelled": 1}
    assert studies.get(db, "s").state is StudyState.FAILED


def test_what_has_ended_is_not_cancelled(db: Database) -> None:
    create(db)
    holding.finish(db, attached(db), RunState.COMPLETE, tell=nothing)
    with pytest.raises(TrialEnded, match="trial 0 of study 's' is complete and cannot be cancelled"):
        cancellation.cancel(db, "s", 0)
    with pytest.raises(UnknownTrial):
        cancellation.cancel(db, "s", 1)
    with pytest.raises(UnknownStudy):
        cancellation.cancel(db, "t", 0)


def test_a_trial_that_is_being_told_is_not_cancelled_any_more(db: Database) -> None:
    create(db)
    lease = attached(db)
    refused: list[type[Exception]] = []
    cancel = Waiting(db)

    def tell() -> None:
        cancel.call(lambda: noting(refused, lambda: cancellation.cancel(db, "s", 0)))

    holding.finish(db, lease, RunState.COMPLETE, tell=tell)
    cancel.join()
    assert refused == [TrialEnded]
    assert counts(db, "s") == {"complete": 1, "waiting": 2}


# --- delete


def test_a_study_is_deleted_after_an_end_in_progress(db: Database) -> None:
    create(db)
    lease = claimed(db)
    delete = Waiting(db)
    holding.finish(db, lease, RunState.COMPLETE, tell=lambda: delete.call(lambda: studies.delete(db, "s")))
    delete.join()
    assert studies.count(db) == 0
    with pytest.raises(LeaseLost):
        holding.finish(db, lease, RunState.COMPLETE, tell=nothing)
