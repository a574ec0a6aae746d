"""What workers do with studies: exact budgets, readable failures, pruning, stopping."""

import signal

import pytest
from optuna.trial import TrialState

from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker, finished, only_trial, own_study, until


@pytest.mark.wide
def test_eight_workers_end_a_study_of_200_with_exactly_200(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("exact", trials=200, epochs=1))
    fleet = [start_worker("--exit-when-idle") for _ in range(8)]
    assert [worker.wait(240) for worker in fleet] == [0] * 8
    assert studies.get(db, "exact").counts["complete"] == 200
    told = db.optuna.get_all_trials(study.optuna_study_id)
    assert [trial.state for trial in told] == [TrialState.COMPLETE] * 200
    records = [*trials.page(db, study, limit=100), *trials.page(db, study, limit=100, offset=100)]
    assert sorted(record.number for record in records if record.number is not None) == list(range(200))
    assert {record.attempts for record in records} == {1}
    assert len({record.params["learning_rate"] for record in records}) == 200  # no two workers drew the same


def test_a_trial_leaves_curves_reports_and_facts(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("curves", epochs=3, repeats=2))
    assert start_worker("--exit-when-idle").wait(60) == 0
    trial = only_trial(db, study)
    assert trial.state is RunState.COMPLETE
    assert trial.facts["parameters"] == 2
    points = curves.of_run(db, trial.run_id)
    losses = {(p.repeat, p.epoch): p.value for p in points if (p.split, p.metric) == ("val", "loss")}
    assert sorted(losses) == [(repeat, epoch) for repeat in range(2) for epoch in range(1, 4)]
    best = [min(losses[repeat, epoch] for epoch in range(1, 4)) for repeat in range(2)]
    assert trial.values == [sum(best) / 2]
    assert losses[0, trial.best_epoch or 0] == best[0]
    [told] = db.optuna.get_all_trials(study.optuna_study_id)
    assert told.intermediate_values == {epoch: losses[0, epoch] for epoch in range(1, 4)}


def test_failures_are_readable_and_the_worker_goes_on(db: Database, start_worker: StartWorker) -> None:
    troubles = ["raises", "quotes a NUL", "out of memory", "killed", "segfault", "nan", "none"]
    space = {"trouble": {"type": "categorical", "choices": troubles}}
    definition = own_study("troubled", "Troubled", search_space=space, sampler={"name": "grid"}, trials=7)
    study = studies.create(db, definition)
    worker = start_worker("--exit-when-idle")
    assert worker.wait(180) == 0
    records = {record.params["trouble"]: record for record in trials.page(db, study)}
    reasons = {trouble: records[trouble].reason for trouble in troubles}
    assert reasons["raises"] == "ValueError: no layer of that name"
    assert reasons["quotes a NUL"] == "ValueError: bad byte \\0 in file"
    assert (reasons["out of memory"] or "").startswith("OutOfMemoryError: CUDA out of memory")
    assert "signal 9" in (reasons["killed"] or "")
    assert "signal 11" in (reasons["segfault"] or "")
    assert "nan" in (reasons["nan"] or "")
    assert reasons["none"] is None
    assert {records[trouble].state for trouble in troubles[:-1]} == {RunState.FAILED}
    assert records["none"].state is RunState.COMPLETE
    told = db.optuna.get_all_trials(study.optuna_study_id)
    # What ran out of memory alone is pruned and infeasible to Optuna, so that TPE learns from it.
    assert sorted(trial.state.name for trial in told) == ["COMPLETE"] + ["FAIL"] * 5 + ["PRUNED"]


@pytest.mark.wide
def test_hopeless_trials_are_pruned(db: Database, start_worker: StartWorker) -> None:
    definition = own_study(
        "pruned",
        "Rated",
        epochs=4,
        search_space={"quality": {"type": "int", "low": 1, "high": 8}},
        objectives=[{"metric": "val_quality"}],
        sampler={"name": "grid", "seed": 5},
        pruner={"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 1},
        budget={},
    )
    study = studies.create(db, definition)
    assert start_worker("--exit-when-idle").wait(60) == 0
    records = trials.page(db, study)
    pruned = [record for record in records if record.state is RunState.PRUNED]
    assert len(pruned) + studies.get(db, "pruned").counts["complete"] == 8
    assert pruned
    assert all(record.epoch < 4 for record in pruned)
    best = min(records, key=lambda record: record.params["quality"])
    assert (best.state, best.values) == (RunState.COMPLETE, [1.0])
    assert studies.get(db, "pruned").best == best


@pytest.mark.wide
def test_a_trial_over_its_time_fails(db: Database, start_worker: StartWorker) -> None:
    budget = {"trials": 1, "trial_timeout": 0.5}
    study = studies.create(db, own_study("slow", epochs=100, options={"seconds": 0.1}, budget=budget))
    assert start_worker("--exit-when-idle").wait(60) == 0
    assert only_trial(db, study).reason == "trial_timeout: not done after 0.5 s"


def test_stopping_a_study_ends_its_running_trial(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("stopped", trials=3, epochs=1000, options={"seconds": 0.1}))
    start_worker("--lease", "1.5")
    until(lambda: trials.page(db, study)[0].epoch >= 1)
    assert [worker.state for worker in workers.alive(db)] == ["busy"]
    studies.set_state(db, "stopped", "stopped")
    until(finished(db, "stopped"))
    assert studies.get(db, "stopped").counts["cancelled"] == 3
    [told] = db.optuna.get_all_trials(study.optuna_study_id)
    assert told.state is TrialState.FAIL


def test_a_study_deleted_under_a_worker_does_not_hurt_it(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("deleted", epochs=1000, options={"seconds": 0.1}))
    worker = start_worker()
    until(lambda: trials.page(db, study)[0].epoch >= 1)
    studies.delete(db, "deleted")
    studies.create(db, own_study("next"))
    until(finished(db, "next"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


@pytest.mark.wide
def test_every_sampler_and_pruner_runs(db: Database, start_worker: StartWorker) -> None:
    samplers = ["tpe", "random", "qmc", "cmaes", "gp", "nsgaii"]
    pruners = ["none", "median", "hyperband", "successive_halving", "wilcoxon", "none"]
    for sampler, pruner in zip(samplers, pruners, strict=True):
        studies.create(db, _searched(sampler, pruner))
    assert start_worker("--exit-when-idle").wait(180) == 0
    for sampler in samplers:
        study = studies.get(db, f"by-{sampler}")
        assert study.counts["complete"] + study.counts["pruned"] == 4, trials.page(db, study)


def _searched(sampler: str, pruner: str) -> StudyDefinition:
    startup = {"n_startup_trials": 2} if sampler in {"tpe", "gp"} else {}
    return parse_definition(
        {
            **own_study(f"by-{sampler}", trials=4, epochs=4, repeats=3).model_dump(mode="json"),
            "search_space": {
                "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
                "batch_size": {"type": "int", "low": 4, "high": 32},
            },
            "sampler": {"name": sampler, "seed": 1, **startup},
            "pruner": {"name": pruner},
        }
    )


def test_a_study_that_lost_its_optuna_half_fails_and_the_worker_goes_on(
    db: Database, start_worker: StartWorker
) -> None:
    halved = studies.create(db, own_study("halved", trials=2))
    studies.create(db, own_study("whole", trials=2))
    db.optuna.delete_study(halved.optuna_study_id)  # by hand, in somebody's script
    assert start_worker("--exit-when-idle").wait(60) == 0
    assert studies.get(db, "halved").counts["failed"] == 2
    assert studies.get(db, "whole").counts["complete"] == 2


def test_a_checkpoint_store_that_cannot_be_reached_is_refused_at_start(start_worker: StartWorker) -> None:
    assert start_worker("--checkpoints", "nowhere://bucket").wait(60) == 2
