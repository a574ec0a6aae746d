"""A worker trains every repeat on the data that the study's seed of that number has."""

from pathlib import Path

import torch

from search_spaces import TrialConfig
from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until
from workers.trial.messages import Order
from workers.trial.orders import train

BOTH = {"repeats_vary": ["seed", "split"], "folds": 2}


def trained(study: StudyRecord, run: TrialRecord, seeds: range, folder: Path) -> dict[tuple[int, int], float]:
    """The run's validation losses by repeat and epoch, trained here."""
    order = Order(
        task=study.definition.task,
        config=TrialConfig(learning_rate=run.params["learning_rate"]),
        study_seed=study.definition.seed,
        first_seed=seeds.start,
        repeats=len(seeds),
        splits_anew=True,
        folds=2,
        data_folder=folder,
    )
    reports = train(order, torch.device("cpu"), lambda _: None)
    return {(done.repeat, done.epoch): done.metrics["val_loss"] for done in reports if isinstance(done, EpochDone)}


def test_search_and_confirmation_train_on_the_divisions_of_their_seeds(
    db: Database, start_worker: StartWorker, tmp_path: Path
) -> None:
    studies.create(db, own_study("divided", "Divided", repeats=2, confirmation={"repeats": 4}, **BOTH))
    studies.create(db, own_study("cannot", repeats_vary=["seed", "split"]))
    start_worker()
    until(finished(db, "divided"))
    until(finished(db, "cannot"))
    study = studies.get(db, "divided")
    (searched,), (confirmed,) = trials.begun(db, study), trials.confirming(db, study)
    for run, seeds in ((searched, range(2)), (confirmed, range(2, 6))):
        found = {key: metrics["val_loss"] for key, metrics in curves.epochs_of_run(db, run.run_id).items()}
        assert found == trained(study, run, seeds, tmp_path)
        assert len({value for (_, epoch), value in found.items() if epoch == 1}) == len(seeds)
    assert confirmed.values is not None  # of the fold that tests
    (failed,) = trials.begun(db, studies.get(db, "cannot"))
    assert failed.state is RunState.FAILED
    assert failed.reason == (
        "InvalidOptions: task tests.workers.own_tasks:Line cannot split its data anew: define its method split, or "
        "leave out repeats_vary and folds"
    )
