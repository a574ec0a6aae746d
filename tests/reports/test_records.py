"""The paper's kind of records, and the paper's tables."""

import pytest

from service.reports import records_table
from service.reports.found.epochs import epochs_of
from service.reports.paper import TABLES, published_epoch_seconds, published_mean_ranks, published_records
from service.storage.records import CurvePoint
from service.storage.states import RunState
from tests.reports.samples import curve_of, params_of, study_of, trial_of


def test_the_best_epochs_of_each_variant_best_first() -> None:
    trials = [
        trial_of(0, [0.3], params=params_of("dropout", drop_rate=0.2)),
        trial_of(1, [0.2], params=params_of("dropconnect", drop_rate=0.1), state=RunState.PRUNED),
        trial_of(2, None, state=RunState.FAILED),
    ]
    curves = {100: curve_of(0.3, 8), 101: curve_of(0.2, 8), 102: curve_of(0.1, 1)}
    rows = records_table(study_of(trials), trials, epochs_of(curves), top=2)
    assert [(row.variant, row.drop_rate, row.epoch) for row in rows] == [
        ("dropconnect", 0.1, 8),
        ("dropconnect", 0.1, 7),
        ("dropout", 0.2, 8),
        ("dropout", 0.2, 7),
    ]
    assert rows[0].val_loss == pytest.approx(0.2)
    assert rows[0].train_loss == pytest.approx(0.1)
    assert len(records_table(study_of(trials), trials, epochs_of(curves), top=None)) == 16


def test_seeds_are_averaged_and_broken_epochs_left_out() -> None:
    trials = [trial_of(0, [0.3], params={"regularizer": "none"})]
    points = [CurvePoint(1, 0, "val", "loss", 0.2), CurvePoint(1, 1, "val", "loss", 0.4)]
    points.append(CurvePoint(2, 0, "val", "loss", float("nan")))
    (row,) = records_table(study_of(trials), trials, epochs_of({100: points}))
    assert row.val_loss == pytest.approx(0.3)
    assert row.drop_rate is row.train_loss is None


def test_a_fixed_rate_is_the_rate() -> None:
    trials = [trial_of(0, [0.3], params={"regularizer": "dropout"})]
    study = study_of(
        trials, search_space={"units": {"type": "categorical", "choices": [8, 16]}}, fixed={"drop_rate": 0.4}
    )
    assert records_table(study, trials, epochs_of({100: curve_of(0.3, 1)}))[0].drop_rate == 0.4


@pytest.mark.parametrize("task", TABLES)
def test_the_papers_tables_agree_on_their_variants(task: str) -> None:
    ranked = published_mean_ranks(task)
    assert {record.variant for record in published_records(task)} == set(ranked) == set(published_epoch_seconds(task))
    count = 5 * len(ranked)
    assert sum(ranked.values()) == pytest.approx(len(ranked) * (count + 1) / 2), "mean ranks of 1..5k"


def test_table_4_is_read_with_its_deviations() -> None:
    seconds = published_epoch_seconds("cifar10")
    assert seconds["pernodedrop-gaussian-dynamic"] == (5.27, 0.27)
    assert len(seconds) == 8


@pytest.mark.parametrize("task", TABLES)
def test_the_paper_sorts_its_tables_by_validation_loss_as_we_do(task: str) -> None:
    losses = [record.val_loss for record in published_records(task)]
    assert losses == sorted(losses)


def test_the_paper_has_nothing_on_other_tasks() -> None:
    assert published_records("digits") == ()
    assert published_mean_ranks("digits") == published_epoch_seconds("digits") == {}
