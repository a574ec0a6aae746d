"""Runs whose last holder died between telling Optuna and noting the end: they end as they were told."""

import math

import pytest

from search_spaces.optuna import build_pruner, build_sampler, suggest
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.optuna import infeasible
from service.storage.optuna import trials as optuna_trials
from service.storage.records import CurvePoint, Lease, TrialRecord
from service.storage.runs import asking, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, pass_time

EPOCHS = 3  # of `make_definition`
DOCUMENTS = {"name": "rcv1", "epochs": 3}  # a task with a metric of two words
LOSSES = [[0.5, 0.25, 0.75], [0.5, 0.75, 0.125]]  # by repeat, then by epoch: the first repeat says which is the best


def told(
    db: Database, values: list[float] | None, memory: str | None = None, *, repeats: int = 2, **parts: object
) -> TrialRecord:
    """The only run of a study, trained by one worker that died when it had told Optuna, and expired."""
    metric = str(parts.pop("metric", "val_loss"))
    definition = make_definition("told", trials=1, retries=0, repeats=repeats, **parts)
    study = studies.create(db, definition)
    lease = claimed(db)
    sampler, pruner = build_sampler(definition, 1), build_pruner(definition)
    optuna_study = optuna_trials.load_study(db, study.optuna_study_id, sampler, pruner)
    trial = optuna_trials.open_trial(optuna_study, asking.ask(db, optuna_study, lease))
    suggest(trial, definition)
    holding.attach(db, lease, trial._trial_id, trial.number, trial.params)
    _record(db, lease, metric, report=values is not None)
    if memory is None:
        optuna_study.tell(trial, values, state=None if values else optuna_trials.TrialState.PRUNED)
    else:
        infeasible.end(db, trial, memory)
    pass_time(db, 3600)
    assert expire(db) == 1
    assert audit(db) == []
    [run] = trials.page(db, study)
    return run


def _record(db: Database, lease: Lease, metric: str, report: bool) -> None:
    split, _, name = metric.partition("_")
    for repeat, losses in enumerate(LOSSES):
        for epoch, loss in enumerate(losses, 1):
            reported = (epoch, loss) if report and repeat == 0 and math.isfinite(loss) else None
            points = [CurvePoint(epoch, repeat, split, name, loss)]
            holding.record_epoch(db, lease, repeat * EPOCHS + epoch, points, reported)


@pytest.mark.parametrize(
    ("objective", "value", "best_epoch"),
    [
        ({"metric": "val_loss"}, (0.25 + 0.125) / 2, 2),
        ({"metric": "val_micro_f1", "direction": "maximize"}, 0.75, 3),
    ],
)
def test_a_complete_trials_best_epoch_is_read_from_its_curves(
    db: Database, objective: dict[str, str], value: float, best_epoch: int
) -> None:
    run = told(db, [value], task=DOCUMENTS, objectives=[objective], metric=objective["metric"])
    assert (run.state, run.values, run.best_epoch) == (RunState.COMPLETE, [value], best_epoch)


def test_an_epoch_without_a_finite_value_is_not_the_best(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.storage.test_expiry.LOSSES", [[math.inf, 0.25, 0.75], [0.5, math.nan, 0.25]])
    objective = {"metric": "val_micro_f1", "direction": "maximize"}
    run = told(db, [(0.75 + 0.5) / 2], task=DOCUMENTS, objectives=[objective], metric="val_micro_f1")
    assert (run.state, run.best_epoch) == (RunState.COMPLETE, 3)


def test_a_trial_that_fitted_into_no_memory_has_failed(db: Database) -> None:
    run = told(db, None, memory="out of memory: 12 GiB wanted")
    assert (run.state, run.reason, run.best_epoch) == (RunState.FAILED, "out of memory: 12 GiB wanted", None)


def test_a_pruned_trial_stays_pruned(db: Database) -> None:
    run = told(db, None, repeats=3, pruner={"name": "wilcoxon"})
    assert (run.state, run.reason) == (RunState.PRUNED, None)
