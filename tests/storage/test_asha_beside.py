"""ASHA beside what else a study may have: a grid, an earlier study's history, a limit of device time, patience."""

import random
from typing import Any

import pytest

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.runs import held_up
from service.storage.states import RunState, StudyState
from service.storage.studies import studies, trials
from tests.storage.climbing import Climber, climb, ladder, paused_study
from tests.storage.queueing import pass_time, reasons

GRID = {
    "learning_rate": {"type": "categorical", "choices": [0.001, 0.01, 0.05, 0.1, 0.5, 1.0]},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
}


def every(db: Database, study: StudyRecord) -> list[TrialRecord]:
    return trials.page(db, study, limit=1000)


def configurations(found: list[TrialRecord]) -> list[tuple[Any, ...]]:
    return sorted((trial.params["learning_rate"], trial.params["optimizer"]) for trial in found)


def test_each_point_of_a_grid_begins_once_whatever_is_promoted(db: Database) -> None:
    parts: dict[str, Any] = {"sampler": {"name": "grid"}, "search_space": GRID, "budget": {"trials": None}}
    study = studies.create(db, ladder(**parts))
    climb([Climber(db) for _ in range(3)], 4, mishaps=0.1)
    found = every(db, study)
    assert studies.get(db, "asha").state is StudyState.COMPLETE
    assert configurations(found) == sorted(
        (rate, name) for rate in GRID["learning_rate"]["choices"] for name in GRID["optimizer"]["choices"]
    )
    reached = {rung: sum(trial.epoch >= rung for trial in found) for rung in (1, 3, 9)}
    assert reached[1] == 12
    assert reached[3] >= 4
    assert reached[9] >= 1
    assert {trial.state for trial in found if trial.epoch < 9} == {RunState.PRUNED}
    assert audit(db) == []


def test_a_grid_with_a_lag_is_the_same_with_any_number_of_workers(db: Database) -> None:
    found = []
    for name, climbers, mishaps in (("one", 1, 0.0), ("three", 3, 0.05)):
        sampler = {"name": "grid", "lag": 2}
        study = studies.create(db, ladder(name, sampler=sampler, search_space=GRID, budget={"trials": None}))
        climb([Climber(db) for _ in range(climbers)], 2, mishaps=mishaps)
        found.append([(trial.params, trial.epoch, trial.state, trial.values) for trial in every(db, study)])
    assert found[0] == found[1]
    assert audit(db) == []


def test_a_study_starts_from_what_another_has_promoted_and_not_promoted(db: Database) -> None:
    studies.create(db, ladder("earlier", trials=12))
    climb([Climber(db) for _ in range(2)], 0)
    study = studies.create(db, ladder("later", trials=12, start_from="earlier"))
    climb([Climber(db) for _ in range(2)], 1, mishaps=0.05)
    found = every(db, study)
    assert len(found) == 12
    assert studies.get(db, "later").state is StudyState.COMPLETE
    earlier = {trial.params["learning_rate"] for trial in every(db, studies.get(db, "earlier"))}
    assert not earlier & {trial.params["learning_rate"] for trial in found}
    # Its first trials would be drawn at random; with the earlier results they lie near the best rate.
    assert any(abs(trial.params["learning_rate"] - 0.05) < 0.05 for trial in found[:4])
    assert {rung: sum(trial.epoch >= rung for trial in found) for rung in (1,)} == {1: 12}
    assert sum(trial.epoch >= 3 for trial in found) >= 4
    assert audit(db) == []


def test_a_used_up_device_time_ends_what_is_paused(db: Database) -> None:
    """It counts what is in training, and holders of legs before; what is in training comes to its end."""
    study, climbers = paused_study(db, budget={"trials": 27, "device_time": 50})
    before = studies.get(db, "asha").device_time_s
    pass_time(db, 49.9)  # a lease's minute counts whole
    while climbers[1].lease is not None:  # its trial reaches the rung, and pauses there
        climbers[1].move()
    record = studies.get(db, "asha")
    assert record.device_time_s > before + 49
    while record.finished_at is None:  # a moment is left, or none
        climb(climbers, 0, until=lambda: False)
        pass_time(db, 1)
        record = studies.get(db, "asha")
    assert record.closing == "device_time: 50 s used up"
    found = every(db, study)
    ended = [trial for trial in found if trial.state is RunState.PRUNED]
    assert len(ended) >= 3
    assert {trial.reason for trial in ended} <= {
        f"paused at the rung of {rung} epochs, and not promoted" for rung in (1, 3)
    }
    assert reasons(db) >= {"device_time: 50 s used up"}
    assert record.counts["paused"] == 0
    assert audit(db) == []


def test_paused_trials_do_not_use_up_patience(db: Database) -> None:
    """They may go on and be the best yet. Here two thirds of all pause before the first has ended."""
    study = studies.create(db, ladder(trials=60, budget={"trials": 60, "patience": 3}))
    climber = Climber(db)
    while studies.get(db, "asha").counts["complete"] == 0:
        assert climber.move()
    assert studies.get(db, "asha").counts["paused"] > 3
    climb([climber], 0)
    record = studies.get(db, "asha")
    assert record.closing == "patience: 3 trials in a row brought no better val_loss"
    complete = [trial for trial in every(db, study) if trial.state is RunState.COMPLETE]
    last = sorted(complete, key=lambda trial: trial.finished_at or record.created_at)[-3:]
    assert min(trial.values[0] for trial in complete) < min(trial.values[0] for trial in last)
    assert audit(db) == []


@pytest.mark.parametrize("lag", [1, 3])
def test_no_run_begins_at_a_mark_at_which_none_could(db: Database, lag: int) -> None:
    studies.create(db, ladder(lag=lag))
    climbers = [Climber(db) for _ in range(5)]
    dice = random.Random(3)
    in_vain: set[str] = set()
    began_after = 0
    while studies.get(db, "asha").finished_at is None:
        climber = dice.choice(climbers)
        is_free = climber.lease is None
        mark = held_up.mark(db)
        if not climber.move():
            in_vain.add(mark)
        elif is_free:
            assert mark not in in_vain
            began_after += bool(in_vain)
    assert began_after
