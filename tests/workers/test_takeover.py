"""Killed, stopped and frozen workers: their runs go on elsewhere, once."""

import os
import signal
import time

import psutil
import pytest

from search_spaces import StudyDefinition
from search_spaces.optuna import build_pruner, build_sampler
from service.storage.assignments.assignment import Ended
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import CurvePoint, Lease, StudyRecord
from service.storage.runs import asking, claiming, history, holding
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker, finished, only_trial, own_study, until
from workers.trial.family import descendants


def long_study(db: Database, epochs: int = 30) -> StudyRecord:
    return studies.create(db, own_study("long", epochs=epochs, options={"seconds": 0.1}))


def test_a_killed_workers_run_goes_on_as_the_same_trial(
    db: Database, start_lone_worker: StartWorker, start_worker: StartWorker
) -> None:
    study = long_study(db)
    victim = start_lone_worker("--lease", "2")
    until(lambda: only_trial(db, study).epoch >= 2)
    children = psutil.Process(victim.pid).children(recursive=True)
    victim.send_signal(signal.SIGKILL)
    heir = start_worker("--lease", "2")
    until(finished(db, "long"))
    trial = only_trial(db, study)
    assert (trial.state, trial.number, trial.attempts, trial.epoch) == (RunState.COMPLETE, 0, 2, 30)
    assert trial.worker is not None
    assert trial.worker.endswith(f":{heir.pid}")
    assert len(db.optuna.get_all_trials(study.optuna_study_id)) == 1
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


@pytest.mark.wide
def test_a_frozen_worker_that_wakes_up_writes_nothing(
    db: Database, start_lone_worker: StartWorker, start_worker: StartWorker
) -> None:
    study = long_study(db)
    frozen = start_lone_worker("--lease", "1")
    until(lambda: only_trial(db, study).epoch >= 2)
    family = [frozen.pid, *(child.pid for child in psutil.Process(frozen.pid).children(recursive=True))]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1.2)
    start_worker("--lease", "10")
    until(lambda: only_trial(db, study).attempts == 2)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    until(finished(db, "long"))
    trial = only_trial(db, study)
    assert (trial.state, trial.attempts) == (RunState.COMPLETE, 2)
    assert frozen.poll() is None  # it goes on with other runs
    frozen.send_signal(signal.SIGTERM)
    assert frozen.wait(60) == 0


def test_a_worker_told_to_leave_ends_a_run_that_ends_in_time(db: Database, start_worker: StartWorker) -> None:
    study = long_study(db, epochs=10)
    worker = start_worker("--grace", "30", "--checkpoints", "none")
    until(lambda: only_trial(db, study).epoch >= 2)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(40) == 0
    assert only_trial(db, study).state is RunState.COMPLETE
    assert workers.alive(db) == []


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_worker_told_to_leave_hands_a_long_run_back(
    db: Database, start_worker: StartWorker, signals: list[signal.Signals]
) -> None:
    study = long_study(db, epochs=1000)
    grace = "0.5" if len(signals) == 1 else "300"
    worker = start_worker("--grace", grace, "--checkpoints", "none")
    until(lambda: only_trial(db, study).epoch >= 2)
    for number in signals:
        worker.send_signal(number)
        time.sleep(0.2)
    assert worker.wait(60) == 0
    trial = only_trial(db, study)
    assert (trial.state, trial.attempts, trial.number) == (RunState.WAITING, 0, 0)
    assert trial.reason is None  # being told to leave is none


def test_a_trial_asked_for_but_not_noted_is_found_again(db: Database, start_worker: StartWorker) -> None:
    study, lease = _leased_by_a_worker_that_dies(db)
    optuna_study = optuna_trials.load_study(
        db, study.optuna_study_id, build_sampler(study.definition, 1), build_pruner(study.definition)
    )
    asking.ask(db, optuna_study, lease)  # and dies before `attach`
    time.sleep(0.3)
    assert start_worker("--exit-when-idle").wait(60) == 0
    trial = only_trial(db, study)
    assert (trial.state, trial.attempts, trial.number) == (RunState.COMPLETE, 2, 0)
    assert len(db.optuna.get_all_trials(study.optuna_study_id)) == 1


def test_a_trial_told_but_not_noted_is_not_trained_again(db: Database, start_worker: StartWorker) -> None:
    study, lease = _leased_by_a_worker_that_dies(db)
    optuna_study = optuna_trials.load_study(
        db, study.optuna_study_id, build_sampler(study.definition, 1), build_pruner(study.definition)
    )
    trial_id = asking.ask(db, optuna_study, lease)
    holding.attach(db, lease, trial_id, 0)
    holding.note_facts(db, lease, {"backend": "mask"})
    holding.record_epoch(db, lease, 1, [CurvePoint(1, 0, "val", "loss", 0.125)])
    optuna_study.tell(0, 0.125)  # and dies before the run's end is committed
    time.sleep(0.3)
    assert start_worker("--exit-when-idle").wait(60) == 0
    trial = only_trial(db, study)
    assert (trial.state, trial.values, trial.epoch) == (RunState.COMPLETE, [0.125], 1)
    assert trial.facts == {"backend": "mask"}
    assert trial.best_epoch == 1
    assert len(curves.of_run(db, trial.run_id)) == 1


def _leased_by_a_worker_that_dies(db: Database) -> tuple[StudyRecord, Lease]:
    study = studies.create(db, own_study("crash"))
    lease = claiming.claim(db, workers.register(db, "gone", 1, "cpu"), 0.2)
    assert lease is not None
    return study, lease


def test_runs_of_a_paused_study_that_lost_their_worker_still_end(db: Database, start_worker: StartWorker) -> None:
    study, _ = _leased_by_a_worker_that_dies(db)
    studies.set_state(db, "crash", "paused")
    time.sleep(0.3)
    assert start_worker("--exit-when-idle").wait(60) == 0
    assert trials.page(db, study)[0].state is RunState.COMPLETE


def test_a_signal_to_the_whole_group_still_hands_the_run_back(db: Database, start_lone_worker: StartWorker) -> None:
    study = long_study(db, epochs=1000)
    worker = start_lone_worker("--grace", "10")
    until(lambda: only_trial(db, study).epoch >= 2)
    for process in [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]:
        process.send_signal(signal.SIGTERM)  # as systemd and Slurm do
    assert worker.wait(60) == 0
    assert only_trial(db, study).state is RunState.WAITING


@pytest.mark.parametrize("told", [pytest.param(False, marks=pytest.mark.wide), True])
def test_no_optuna_trial_is_left_running(db: Database, start_worker: StartWorker, told: bool) -> None:
    study, lease = _leased_by_a_worker_that_dies(db)
    optuna_study = optuna_trials.load_study(
        db, study.optuna_study_id, build_sampler(study.definition, 1), build_pruner(study.definition)
    )
    trial_id = asking.ask(db, optuna_study, lease)
    holding.attach(db, lease, trial_id, 0)
    if told:
        optuna_study.tell(0, 0.5)
    else:
        holding.hand_back(db, lease)
    studies.set_state(db, "crash", "stopped")
    time.sleep(0.3)
    assert start_worker("--exit-when-idle").wait(60) == 0
    state = RunState.COMPLETE if told else RunState.CANCELLED
    assert (only_trial(db, study).state, db.optuna.get_trial(trial_id).state.name) == (
        state,
        "COMPLETE" if told else "FAIL",
    )


def test_a_killed_trial_process_is_a_lost_attempt(db: Database, start_lone_worker: StartWorker) -> None:
    study = long_study(db)
    worker = start_lone_worker("--checkpoint-every", "0.01")
    until(lambda: only_trial(db, study).epoch >= 2)
    os.kill(max(descendants(worker.pid)), signal.SIGKILL)  # the youngest
    until(finished(db, "long"))
    trial = only_trial(db, study)
    assert (trial.state, trial.attempts, trial.number) == (RunState.COMPLETE, 2, 0)
    assert trial.facts["resumed_after_epoch"] >= 1
    lost, complete = history.of_run(db, trial.run_id)
    assert (lost.state, complete.state) == ("lost", "complete")
    assert "signal 9" in (lost.reason or "")


def test_a_trial_carried_on_is_not_judged_again_where_it_has_passed(db: Database) -> None:
    """Others have become better meanwhile: what was decided at an epoch stays decided."""
    definition = own_study("judged", pruner={"name": "median", "n_startup_trials": 1}, trials=2)
    study = studies.create(db, definition)
    good, bad = _claimed(db), _claimed(db)
    _begun(db, definition, study, bad, 9.0)
    trial = _begun(db, definition, study, good, 1.0)
    holding.finish(db, good, RunState.COMPLETE, tell=lambda: trial.tell(Ended(RunState.COMPLETE)))
    holding.hand_back(db, bad)
    heir = _begun(db, definition, study, _claimed(db), 9.0)
    assert not heir.is_hopeless((1, 9.0))
    assert optuna_trials.should_prune(heir._trial, 1, 9.0)  # which is what the pruner would say by now


def _claimed(db: Database) -> Lease:
    lease = claiming.claim(db, workers.register(db, "here", 1, "cpu"), 60)
    assert lease is not None
    return lease


def _begun(db: Database, definition: StudyDefinition, study: StudyRecord, lease: Lease, loss: float) -> SearchTrial:
    """The lease's trial after an epoch."""
    trial = SearchTrial(db, lease)
    trial.adopt()
    trial.prepare()
    report = trial.take_in(EpochDone(0, 1, {"val_loss": loss}))
    holding.record_epoch(db, lease, 1, [CurvePoint(1, 0, "val", "loss", loss)], report)
    return trial
