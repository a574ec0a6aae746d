"""ASHA over real workers: trials pause at rungs, are promoted, and go on from their checkpoints."""

import signal
from typing import Any

from search_spaces import StudyDefinition, parse_definition
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.runs import history
from service.storage.states import AttemptState, RunState, StudyState
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until


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


def epochs_of(db: Database, study: StudyRecord) -> list[int]:
    """How far each trial was trained, the furthest first."""
    return sorted((trial.epoch for trial in all_trials(db, study)), reverse=True)


def curve_of(db: Database, trial: TrialRecord) -> list[tuple[Any, ...]]:
    return sorted((key, sorted(row.items())) for key, row in curves.epochs_of_run(db, trial.run_id).items())


def test_trials_pause_are_promoted_and_go_on_where_they_stopped(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, ladder())
    for _ in range(2):
        start_worker("--checkpoint-every", "1000")
    until(finished(db, "asha"), 120)
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
