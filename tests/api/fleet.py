"""A worker's way through the real queue and the real Optuna storage, with a formula in place of the training."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from optuna.trial import TrialState

from search_spaces import TrialConfig
from search_spaces.optuna import build_pruner, build_sampler, suggest
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import CurvePoint, Lease, StudyRecord
from service.storage.runs import asking, claiming, holding
from service.storage.states import RunState, Stage

EPOCHS = 4
TOLD = {
    RunState.COMPLETE: TrialState.COMPLETE,
    RunState.PRUNED: TrialState.PRUNED,
    RunState.FAILED: TrialState.FAIL,
}


def definition_data(name: str = "digits-1", trials: int = 6, **fields: Any) -> dict[str, Any]:
    """A small valid definition as it is submitted."""
    return {
        "name": name,
        "task": {"name": "digits", "epochs": EPOCHS},
        "search_space": {
            "regularizer": {"type": "categorical", "choices": ["dropout", "pernodedrop"]},
            "stir_type": {
                "type": "categorical",
                "choices": ["bernoulli", "gaussian"],
                "when": {"regularizer": "pernodedrop"},
            },
            "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
            "units": {"type": "categorical", "choices": [32, 64, 128]},
        },
        "sampler": {"name": "random", "seed": 7},
        "budget": {"trials": trials},
        **fields,
    }


def work(
    database: Database,
    study: StudyRecord,
    endings: Mapping[int, RunState] | None = None,
    limit: int = 1_000_000,
) -> None:
    """Take every waiting run of the database's only study, or the first of them, and end it: complete, or as
    `endings` says by number."""
    worker = workers.register(database, "node-1", 4711, "cpu")
    sampler = build_sampler(study.definition, study.definition.search_seed)
    optuna_study = optuna_trials.load_study(database, study.optuna_study_id, sampler, build_pruner(study.definition))
    for _ in range(limit):
        lease = claiming.claim(database, worker, 60)
        if lease is None:
            return
        if lease.stage is Stage.CONFIRMATION:
            _confirm(database, lease)
            continue
        trial = optuna_trials.open_trial(optuna_study, asking.ask(database, optuna_study, lease))
        config = suggest(trial, study.definition)
        holding.attach(database, lease, trial._trial_id, trial.number, trial.params)
        loss = _train(database, lease, config)
        ending = (endings or {}).get(trial.number, RunState.COMPLETE)
        holding.finish(
            database,
            lease,
            ending,
            reason="training loss became nan" if ending == RunState.FAILED else None,
            best_epoch=EPOCHS if ending == RunState.COMPLETE else None,
            tell=partial(
                optuna_trials.tell,
                optuna_study,
                trial,
                TOLD[ending],
                [loss] if ending == RunState.COMPLETE else None,
            ),
        )


def _confirm(database: Database, lease: Lease) -> None:
    """End a run of the confirmation, which is no trial; its parameters are known."""
    holding.attach(database, lease, None, None)
    loss = _train(database, lease, TrialConfig.from_params(lease.params or {}))
    holding.finish(database, lease, RunState.COMPLETE, best_epoch=EPOCHS, values=[loss], tell=lambda: None)


def _train(database: Database, lease: Lease, config: TrialConfig) -> float:
    floor = (config.drop_rate - 0.4) ** 2 + (0.05 if config.regularizer == "dropout" else 0.0) + 2 / config.units
    for epoch in range(1, EPOCHS + 1):
        loss = floor + 1 / (epoch + 1)
        points = [
            CurvePoint(epoch, 0, "train", "loss", 0.8 * loss),
            CurvePoint(epoch, 0, "val", "loss", loss),
            CurvePoint(epoch, 0, "val", "accuracy", 1 / (1 + loss)),
        ]
        holding.record_epoch(database, lease, epoch, points, report=(epoch, loss))
    return loss
