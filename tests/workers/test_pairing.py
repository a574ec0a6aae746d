"""Early stop by whole repeats, through real workers."""

import pytest

from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.workers.conftest import StartWorker, own_study


@pytest.mark.wide
def test_hopeless_configurations_end_after_two_of_four_repeats(db: Database, start_worker: StartWorker) -> None:
    definition = own_study(
        "paired",
        "Rated",
        epochs=2,
        repeats=4,
        search_space={"quality": {"type": "int", "low": 1, "high": 6}},
        objectives=[{"metric": "val_quality"}],
        sampler={"name": "grid", "seed": 5},
        pruner={"name": "paired"},
        budget={},
    )
    study = studies.create(db, definition)
    assert start_worker("--exit-when-idle").wait(120) == 0
    records = trials.page(db, study)
    pruned = [record for record in records if record.state is RunState.PRUNED]
    assert pruned
    assert {record.epoch for record in pruned} == {2 * 2}
    assert all(record.values == [record.params["quality"]] for record in pruned)
    assert min(record.params["quality"] for record in records if record.state is RunState.COMPLETE) == 1
    told = {trial.number: trial for trial in db.optuna.get_all_trials(study.optuna_study_id)}
    assert {tuple(told[record.number or 0].intermediate_values) for record in pruned} == {(0, 1)}
