"""A study may judge Masksembles by all its masks or by one; the other variants have one figure under both names."""

import pytest

from search_spaces import parse_definition
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.states import RunState, Stage
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker


@pytest.mark.parametrize("metric", [pytest.param("val_loss", marks=pytest.mark.wide), "val_loss_one_mask"])
def test_either_figure_is_an_objective_for_every_variant(db: Database, start_worker: StartWorker, metric: str) -> None:
    definition = {
        "name": "judged",
        "task": {"name": "digits", "epochs": 3, "train_size": 100, "options": {"val_size": 40}},
        "search_space": {"regularizer": {"type": "categorical", "choices": ["dropout", "masksembles"]}},
        "fixed": {"batch_size": 32, "units": 16},
        "objectives": [{"metric": metric}],
        "sampler": {"name": "grid"},
        "pruner": {"name": "none"},
        "confirmation": {"top": 1, "repeats": 2},
    }
    study = studies.create(db, parse_definition(definition))
    assert start_worker("--exit-when-idle").wait(120) == 0
    records = trials.page(db, study, stage=Stage.SEARCH)
    assert {record.state for record in records} == {RunState.COMPLETE}, [record.reason for record in records]
    name = metric.removeprefix("val_")
    for record in records:
        points = {(p.split, p.metric, p.epoch): p.value for p in curves.of_run(db, record.run_id) if p.repeat == 0}
        assert record.values == [min(points["val", name, epoch] for epoch in (1, 2, 3))]
        masks = record.params["regularizer"] == "masksembles"
        assert (("val", "brier_one_mask", 1) in points) == masks
        if masks:
            assert points["val", "loss", 3] != points["val", "loss_one_mask", 3]
        elif metric == "val_loss_one_mask":
            assert points["val", "loss", 3] == points["val", "loss_one_mask", 3]
    confirmed = trials.page(db, study, stage=Stage.CONFIRMATION)
    assert len(confirmed) == 2
    for record in confirmed:
        points = {(p.split, p.metric, p.repeat, p.epoch): p.value for p in curves.of_run(db, record.run_id)}
        best = [min((1, 2, 3), key=lambda epoch: points["val", name, repeat, epoch]) for repeat in (0, 1)]
        tested = [points["test", name, repeat, epoch] for repeat, epoch in enumerate(best)]
        assert record.values == [pytest.approx(sum(tested) / 2)]
    assert audit(db) == []
