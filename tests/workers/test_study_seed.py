"""Which seed a worker trains with, and which one it searches with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
import torch

from search_spaces import TrialConfig
from service.storage.assignments.progress import EpochDone
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import curves, studies, trials
from tests.workers.conftest import StartWorker, own_study
from workers.trial.messages import Order
from workers.trial.orders import train

TRIALS = 2


def stored(db: Database, name: str, *, remove: str = "", **change: Any) -> StudyRecord:
    """A study whose stored definition lacks a field, and has others."""
    studies.create(db, own_study(name, trials=TRIALS, repeats=2))
    alter = sa.text(
        "UPDATE fleet.studies SET definition = (definition - :remove) || cast(:change AS jsonb) WHERE name = :n"
    )
    with db.engine.begin() as connection:
        connection.execute(alter, {"remove": remove, "change": json.dumps(change), "n": name})
    return studies.get(db, name)


def drawn(seed: int) -> list[float]:
    """What Optuna's random sampler draws for the study's runs, each with a seed of its own."""
    rates = []
    for ordinal in range(TRIALS):
        own = int(np.random.SeedSequence((seed, ordinal)).generate_state(1)[0])
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=own))
        rates.append(study.ask().suggest_float("learning_rate", 0.001, 0.1, log=True))
    return rates


def losses(db: Database, study: StudyRecord) -> list[dict[tuple[int, int], float]]:
    """Every trial's validation losses by repeat and epoch."""
    return [
        {key: metrics["val_loss"] for key, metrics in curves.epochs_of_run(db, trial.run_id).items()}
        for trial in trials.page(db, study)
    ]


def trained(study: StudyRecord, seed: int, learning_rate: float, folder: Path) -> dict[tuple[int, int], float]:
    """The same, trained here with a given seed."""
    order = Order(
        task=study.definition.task,
        config=TrialConfig(learning_rate=learning_rate),
        study_seed=seed,
        repeats=2,
        data_folder=folder,
    )
    torch.set_num_threads(1)  # as the workers have
    reports = train(order, torch.device("cpu"), lambda _: None)
    return {(r.repeat, r.epoch): r.metrics["val_loss"] for r in reports if isinstance(r, EpochDone)}


def test_a_study_is_trained_with_its_seed_and_searched_with_its_samplers(
    db: Database, start_worker: StartWorker, tmp_path: Path
) -> None:
    expected = {
        # A definition of before there was a seed beside the sampler's: that one is of both, to the last bit.
        "before": (stored(db, "before", remove="seed", sampler={"name": "random", "seed": 3}), 3, 3),
        "one": (stored(db, "one", seed=4), 4, 4),
        "two": (stored(db, "two", seed=4, sampler={"name": "random", "seed": 3}), 4, 3),
    }
    assert start_worker("--exit-when-idle").wait(120) == 0
    found = {}
    for name, (study, seed, search_seed) in expected.items():
        rates = [trial.params["learning_rate"] for trial in trials.page(db, study)]
        assert rates == drawn(search_seed)
        found[name] = losses(db, study)
        assert found[name] == [trained(study, seed, rate, tmp_path) for rate in rates]
    assert found["before"] != found["two"]
