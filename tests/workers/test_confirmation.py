"""The confirmation by real workers: fresh seeds, the test split, exactly once, whatever happens meanwhile."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search_spaces import Confirmation, Objective, StudyDefinition, TaskSpec, TrialConfig
from service.storage.assignments.choosing import assignment_of
from service.storage.assignments.confirmation_run import ConfirmationRun
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint, StudyRecord, TrialRecord
from service.storage.runs import claiming
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import curves, extension, studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until
from tests.workers.test_checkpoints import figures
from workers.trial.checkpoints import CheckpointRoot
from workers.trial.messages import Finished, Order, Report, Started, Stop
from workers.trial.orders import train

BY_VARIANT = {
    "regularizer": {"type": "categorical", "choices": ["dropout", "dropconnect"]},
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
}


def confirmed_study(name: str, task: str = "Tested", *, trials: int = 4, **parts: object) -> StudyDefinition:
    confirmation = {"top": 1, "repeats": 3}
    return own_study(name, task, trials=trials, **{"search_space": BY_VARIANT, "confirmation": confirmation, **parts})


def confirmations(db: Database, study: StudyRecord) -> list[TrialRecord]:
    return trials.page(db, study, stage=Stage.CONFIRMATION)


def losses(points: list[CurvePoint], split: str) -> dict[tuple[int, int], float]:
    return {(p.repeat, p.epoch): p.value for p in points if (p.split, p.metric) == (split, "loss")}


def test_the_best_are_trained_again_and_tested(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, confirmed_study("whole", epochs=4, repeats=2))
    fleet = [start_worker("--exit-when-idle") for _ in range(2)]
    assert [worker.wait(120) for worker in fleet] == [0, 0]
    until(finished(db, "whole"))
    now, runs = studies.get(db, "whole"), confirmations(db, study)
    found = {trial.variant for trial in trials.page(db, study, stage=Stage.SEARCH)}
    assert sorted(run.variant for run in runs) == sorted(found)
    assert {(run.state, run.number, run.epoch) for run in runs} == {(RunState.COMPLETE, None, 12)}
    assert len(db.optuna.get_all_trials(study.optuna_study_id)) == 4 == now.counts["complete"]
    assert now.winner == min(runs, key=lambda run: run.values or [])
    searched = _first_losses(db, trials.page(db, study, stage=Stage.SEARCH))
    confirmed = _first_losses(db, runs)
    assert not set(searched) & set(confirmed)  # no seed is used twice
    for run in runs:
        points = curves.of_run(db, run.run_id)
        validation, tested = losses(points, "val"), losses(points, "test")
        best = {r: min((validation[r, e], e) for e in range(1, 5))[1] for r in range(3)}
        assert run.values == [pytest.approx(sum(tested[r, best[r]] for r in best) / 3)]
        assert run.facts["confirmed_on"] == "test"
    assert not any(p.split == "test" for trial in trials.page(db, study, stage=Stage.SEARCH)
                   for p in curves.of_run(db, trial.run_id))  # fmt: skip


def _first_losses(db: Database, runs: list[TrialRecord]) -> list[float]:
    """What every seed begins with: the losses after each repeat's first epoch."""
    return [
        loss for run in runs for (_, epoch), loss in losses(curves.of_run(db, run.run_id), "val").items() if epoch == 1
    ]


def test_without_a_test_split_validation_counts_and_the_facts_say_so(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, confirmed_study("untested", "Line", trials=1))
    assert start_worker("--exit-when-idle").wait(60) == 0
    [run] = confirmations(db, study)
    assert run.state is RunState.COMPLETE
    assert run.facts["confirmed_on"] == "validation (the task has no test split)"
    validation = losses(curves.of_run(db, run.run_id), "val")
    assert run.values == [pytest.approx(sum(min(validation[r, 1], validation[r, 2]) for r in range(3)) / 3)]


@pytest.mark.wide
def test_a_worker_that_leaves_in_mid_confirmation_changes_nothing(db: Database, start_worker: StartWorker) -> None:
    """One that is killed: tests/workers/test_examinations.py."""
    for name in ("left", "undisturbed"):
        task = {"seconds": 0.1 if name == "left" else 0}
        studies.create(db, confirmed_study(name, trials=1, epochs=10, options=task))
    study, other = studies.get(db, "left"), studies.get(db, "undisturbed")
    first = start_worker("--lease", "2", "--checkpoint-every", "0.01")
    until(lambda: [run for run in confirmations(db, study) if run.epoch >= 13])
    first.send_signal(signal.SIGTERM)
    first.wait(60)
    start_worker("--lease", "2")
    until(finished(db, "left"))
    until(finished(db, "undisturbed"))
    [run], [model] = confirmations(db, study), confirmations(db, other)
    assert run.facts["resumed_after_epoch"] >= 12
    assert run.attempts == 1
    assert run.values == model.values
    for split in ("val", "test"):
        assert losses(curves.of_run(db, run.run_id), split) == losses(curves.of_run(db, model.run_id), split)


def test_stopping_a_study_ends_its_confirmation(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, confirmed_study("stopped", trials=1, epochs=20, options={"seconds": 0.1}))
    start_worker("--lease", "1.5")
    until(lambda: [run for run in confirmations(db, study) if run.epoch >= 2])
    studies.set_state(db, "stopped", "stopped")
    until(finished(db, "stopped"))
    now = studies.get(db, "stopped")
    assert (now.state, now.counts["complete"], now.confirmation["cancelled"]) == (StudyState.STOPPED, 1, 1)
    assert now.winner is None


def test_a_confirmation_may_be_asked_for_after_a_worker_knew_the_study(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("asked", "Tested", trials=2, search_space=BY_VARIANT))
    start_worker()
    until(finished(db, "asked"))
    extension.confirm(db, "asked", Confirmation(top=1, repeats=2, until="decided", most_repeats=3))
    until(finished(db, "asked"))
    runs, now = confirmations(db, study), studies.get(db, "asked")
    assert {run.state for run in runs} == {RunState.COMPLETE}
    assert now.decision is not None
    assert (
        now.looks[-1][0] == now.decision["seeds"] == sum(run.seeds or 0 for run in runs if run.params == runs[0].params)
    )
    assert now.winner is not None
    assert now.winner.run_id == now.decision["recommended"]
    assert audit(db) == []


def test_an_extended_study_confirms_only_new_configurations(db: Database, start_worker: StartWorker) -> None:
    space = {"quality": {"type": "int", "low": 1, "high": 100}}
    parts: dict[str, object] = {"search_space": space, "objectives": [{"metric": "val_quality"}]}
    study = studies.create(db, confirmed_study("longer", "Rated", trials=2, **parts))
    start_worker()
    until(finished(db, "longer"))
    [first] = confirmations(db, study)
    extension.extend(db, "longer", 12)
    until(finished(db, "longer"))
    now = studies.get(db, "longer")
    assert now.best is not None
    confirmed = [run.params["quality"] for run in confirmations(db, now)]
    assert confirmed[0] == first.params["quality"]
    assert sorted(set(confirmed)) == sorted({first.params["quality"], now.best.params["quality"]})
    assert (now.counts["complete"], len(confirmed)) == (14, len(set(confirmed)))


def test_only_a_run_of_the_search_becomes_a_trial_of_optunas(db: Database) -> None:
    study = studies.create(db, confirmed_study("both"))
    lease = claiming.claim(db, workers.register(db, "here", 1, "cpu"), 60)
    assert lease is not None
    confirming = replace(lease, stage=Stage.CONFIRMATION, first_seed=1, seeds=3)
    assert isinstance(assignment_of(db, confirming), ConfirmationRun)
    assert db.optuna.get_n_trials(study.optuna_study_id) == 0
    for token in (1, 2):  # the second holder has the first one's trial
        found = assignment_of(db, replace(lease, token=token))
        assert isinstance(found, SearchTrial)
    assert db.optuna.get_n_trials(study.optuna_study_id) == 1


def test_a_run_of_the_search_confirms_nothing(db: Database) -> None:
    studies.create(db, own_study("plain"))
    lease = claiming.claim(db, workers.register(db, "here", 1, "cpu"), 60)
    assert lease is not None
    with pytest.raises(ValueError, match="is to confirm a configuration and has no seeds"):
        assignment_of(db, replace(lease, stage=Stage.CONFIRMATION))


def order(folder: Path, token: int = 1) -> Order:
    return Order(
        task=TaskSpec(name="digits", epochs=3, train_size=100),
        config=TrialConfig(regularizer="dropout"),
        study_seed=3,
        repeats=2,
        first_seed=5,
        tested_by=Objective(metric="val_loss"),
        data_folder=folder,
        run_id=7,
        token=token,
        checkpoints=CheckpointRoot(str(folder / "checkpoints"), "1f-16384"),
    )


def reports(of: Order, leave_after: int | None = None) -> Iterator[Report]:
    asked = iter(range(1, 100))
    return train(of, torch.device("cpu"), lambda _: Stop(keep=True) if next(asked) == leave_after else None)


def test_a_model_is_tested_where_it_improves_and_after_every_departure_alike(tmp_path: Path) -> None:
    whole = list(reports(order(tmp_path / "whole")))
    assert isinstance(whole[-1], Finished)
    for repeat in range(2):
        epochs = [r for r in whole if isinstance(r, EpochDone) and r.repeat == repeat]
        best = float("inf")
        for done in epochs:
            assert ("test_accuracy" in done.metrics) == (done.metrics["val_loss"] < best)
            best = min(best, done.metrics["val_loss"])
    for epoch in range(1, 6):
        folder = tmp_path / str(epoch)
        list(reports(order(folder), leave_after=epoch))
        resumed = list(reports(order(folder, token=2)))
        assert isinstance(resumed[0], Started)
        assert resumed[0].facts["resumed_after_epoch"] == epoch
        assert figures(resumed) == figures(whole)


def test_a_configuration_has_the_same_figures_in_rounds_as_in_one_run(tmp_path: Path) -> None:
    whole = figures(list(reports(replace(order(tmp_path / "whole"), repeats=8))))
    rounds = [(0, 5), (5, 1), (6, 1), (7, 1)]
    parts = [
        (repeat + begin, epoch, values)
        for begin, seeds in rounds
        for repeat, epoch, values in figures(
            list(reports(replace(order(tmp_path / str(begin)), first_seed=5 + begin, repeats=seeds, run_id=begin)))
        )
    ]
    assert parts == whole


def test_testing_does_not_change_the_training(tmp_path: Path) -> None:
    tested = figures(list(reports(order(tmp_path / "a"))))
    untested = figures(list(reports(replace(order(tmp_path / "b"), tested_by=None))))
    assert [{n: v for n, v in of.items() if not n.startswith("test_")} for *_, of in tested] == [
        of for *_, of in untested
    ]
    other = figures(list(reports(replace(order(tmp_path / "c"), first_seed=0))))
    assert other[0] != tested[0]
