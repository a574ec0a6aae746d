"""What people write instead: a loop around `study.optimize`, with all that Optuna 5 offers against faults.

    python -m tests.chaos.plain_worker URL STUDY TRIALS

Heartbeats, stale trials enqueued again, an end at so many trials; connections are checked before use and have
time limits, as careful people set them. The training is the one of the studies under test, without checkpoints:
Optuna has none.
"""

import sys
from pathlib import Path

import optuna
import torch
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from search_spaces import parse_definition
from search_spaces.optuna import suggest
from tests.chaos.definitions import RETRIES, definitions
from tests.chaos.schedule import LEASE_S
from workers.tasks import load_task
from workers.training import Training
from workers.training.seeds import repeat_seed

ENOUGH = (TrialState.COMPLETE, TrialState.PRUNED)


def open_storage(url: str) -> RDBStorage:
    """Optuna's storage; a trial without a heartbeat for as long as a lease of ours is stale."""
    return RDBStorage(
        url,
        engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": 3, "tcp_user_timeout": 30_000}},
        heartbeat_interval=1,
        grace_period=int(LEASE_S),
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
    )


def main(url: str, name: str, trials: str) -> None:
    definition = parse_definition(next(definitions(seed=0)))
    task = load_task(definition.task, Path())

    def objective(trial: optuna.Trial) -> float:
        training = Training(
            task,
            suggest(trial, definition),
            epochs=definition.task.epochs,
            seed=repeat_seed(definition.seed, 0),
            device=torch.device("cpu"),
        )
        best = float("inf")
        for epoch in training.epochs():
            best = min(best, epoch.metrics["val_loss"])
            trial.report(epoch.metrics["val_loss"], epoch.number)
        return best

    torch.set_num_threads(1)
    study = optuna.load_study(study_name=name, storage=open_storage(url), sampler=optuna.samplers.RandomSampler())
    enough = MaxTrialsCallback(int(trials), states=ENOUGH)
    if sum(trial.state in ENOUGH for trial in study.get_trials(deepcopy=False)) < int(trials):
        study.optimize(objective, callbacks=[enough])


if __name__ == "__main__":
    main(*sys.argv[1:])
