"""ASHA over real workers: trials pause at rungs, are promoted, and go on from their checkpoints."""

import signal
from pathlib import Path
from typing import Any

import pytest

from search_spaces import StudyDefinition, parse_definition
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet.ownership import database_id, open_among
from service.storage.records import StudyRecord, TrialRecord
from service.storage.runs import history
from service.storage.states import AttemptState, RunState, StudyState
from service.storage.studies import studies, trials
from tests.chaos.uninterrupted import stored, trained
from tests.storage.climbing import rows
from tests.workers.conftest import StartWorker, finished, until
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.collection import collect


def ladder(name: str = "asha", *, trials: int = 9, epochs: int = 9, **parts: Any) -> StudyDefinition:
    """A study of the digits whose trials are compared after 1, 3 and 9 epochs."""
    definition = {
        "name": name,
        "task": {"name": "digits", "epochs": epochs},
        "search_space": {"learning_rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True}},
        "fixed": {"regularizer": "dropout", "drop_rate": 0.4},
        "sampler": {"name": "random", "seed": 3},
        "pruner": {"name": "asha", "min_epochs": 1, "reduction_factor": 3},
        "budget": {"trials": trials},
        "keep": "none",
    }
    return parse_definition({**definition, **parts})


def all_trials(db: Database, study: StudyRecord) -> list[TrialRecord]:
    return trials.page(db, study, limit=1000)


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_trials_pause_are_promoted_and_go_on_where_they_stopped(db: Database, start_worker: StartWorker) -> None:
    # The best come first. The first two at a rung pause, so one of these does, and is promoted afterwards. Where the
    # order at the rungs is left to the machine, all who are promoted may be so as they arrive.
    best = [{"learning_rate": rate} for rate in (0.003, 0.005)]
    poor = {"learning_rate": {"type": "float", "low": 1e-7, "high": 0.005, "log": True}}
    worse = [{"learning_rate": (place + 1) * 1e-7} for place in range(7)]  # which learn nothing
    study = studies.create(db, ladder(search_space=poor, start_with=best + worse))
    for _ in range(2):
        start_worker("--checkpoint-every", "1000")
    until(finished(db, "asha"), 400)
    found = studies.get(db, "asha")
    assert found.state is StudyState.COMPLETE
    assert found.counts["paused"] == 0
    every = all_trials(db, study)
    assert {trial.epoch for trial in every} == {1, 3, 9}
    assert {trial.state for trial in every if trial.epoch == 9} == {RunState.COMPLETE}
    for trial in every:
        if trial.epoch < 9:
            assert trial.state is RunState.PRUNED
            assert trial.reason == f"paused at the rung of {trial.epoch} epochs, and not promoted"
    resumed = [trial for trial in every if "resumed_after_epoch" in trial.facts]
    assert resumed  # some had left their worker
    told = [attempt.state for trial in every for attempt in history.of_run(db, trial.run_id)]
    assert AttemptState.PAUSED in told
    assert audit(db) == []


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_killed_workers_change_nothing_and_a_promoted_trial_equals_an_uninterrupted_one(
    db: Database, start_worker: StartWorker, tmp_path: Path
) -> None:
    """A worker is killed in the middle of a leg, another one at a rung, and the last one begins with none of them."""
    options = ("--checkpoint-every", "0.2", "--lease", "2", "--checkpoints", str(tmp_path / "kept"))
    study = studies.create(
        db,
        ladder(
            task={"name": "tests.chaos.tasks:PacedDigits", "epochs": 9, "train_size": 200, "options": {"pause": 0.1}}
        ),
    )
    first = start_worker(*options)
    until(lambda: studies.get(db, "asha").counts["paused"] >= 1, 300)
    first.send_signal(signal.SIGKILL)
    second = start_worker(*options)
    until(lambda: studies.get(db, "asha").counts["paused"] >= 4, 300)
    root = CheckpointRoot(str(tmp_path / "kept"), database_id(db))
    collect(root, lambda found: open_among(db, found))
    second.send_signal(signal.SIGKILL)
    start_worker(*options)
    until(finished(db, "asha"), 300)
    every = all_trials(db, study)
    assert studies.get(db, "asha").state is StudyState.COMPLETE
    assert audit(db) == []
    assert not any("trained_again" in trial.facts for trial in every)
    promoted = [trial for trial in every if trial.epoch > 1]
    assert any("resumed_after_epoch" in trial.facts for trial in promoted)
    for trial in promoted:
        assert stored(db, trial) == {
            key: value for key, value in trained(study, trial, tmp_path / "data").items() if key[1] <= trial.epoch
        }
    collect(root, lambda found: open_among(db, found))  # those of trials that ended while they paused
    assert not list((tmp_path / "kept").rglob("*.pt"))


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_without_a_shared_folder_a_promoted_trial_is_trained_again_and_says_so(
    db: Database, start_worker: StartWorker
) -> None:
    study = studies.create(db, ladder())
    start_worker("--checkpoints", "none")
    until(finished(db, "asha"), 400)
    every = all_trials(db, study)
    assert {trial.facts.get("trained_again") for trial in every if trial.epoch > 1} >= {1}
    assert not any("resumed_after_epoch" in trial.facts for trial in every)
    assert audit(db) == []


_FOUND = """
    SELECT l.number, l.place, l.epochs, l.cost, r.params::text, r.state, r.epoch, r.values, r.best_epoch, w.digest
    FROM fleet.legs l JOIN fleet.runs r ON r.id = l.run_id JOIN fleet.studies s ON s.id = l.study_id
        LEFT JOIN fleet.weights w ON w.run_id = r.id
    WHERE s.name = :name ORDER BY l.number
"""


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_with_folds_a_lag_and_kept_weights_a_killed_fleet_finds_what_an_unbroken_one_finds(
    db: Database, start_worker: StartWorker
) -> None:
    parts: dict[str, Any] = {
        "folds": 3,
        "sampler": {"name": "tpe", "seed": 3, "n_startup_trials": 4, "lag": 2},
        "budget": {"trials": 20, "epochs": 40},
        "keep": "every",
    }
    options = ("--checkpoint-every", "0.2", "--lease", "2")
    killed = studies.create(db, ladder("killed", **parts))
    for paused in (1, 3, 5):
        worker = start_worker(*options)
        until(lambda least=paused: sum(run.epoch > 0 for run in all_trials(db, killed)) > least, 300)
        worker.send_signal(signal.SIGKILL)
    start_worker(*options)
    until(finished(db, "killed"), 300)
    alone = studies.create(db, ladder("alone", **parts))
    until(finished(db, "alone"), 300)
    found = rows(db, _FOUND, name="killed")
    assert found == rows(db, _FOUND, name="alone")
    assert any(row[-1] is not None for row in found)  # weights were kept
    for one, other in zip(all_trials(db, killed), all_trials(db, alone), strict=True):
        assert stored(db, one) == stored(db, other)
    trained_epochs = sum(run.epoch for run in all_trials(db, killed))
    assert trained_epochs <= 40
    [booked] = rows(db, "SELECT sum(booked) FROM fleet.runs WHERE study_id = :study", study=killed.id)
    assert booked == (trained_epochs,)
    assert not any("trained_again" in run.facts for run in all_trials(db, killed))
    assert audit(db) == []
