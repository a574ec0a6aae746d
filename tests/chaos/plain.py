"""The same schedule against plain `study.optimize`: what is lost, doubled and left behind there."""

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from tests.chaos.database import Server
from tests.chaos.fleet import Exit, Fleet, Place
from tests.chaos.injection import Injector, general
from tests.chaos.plain_worker import ENOUGH, open_storage
from tests.chaos.proxy import Network
from tests.chaos.schedule import GENERAL, Fault

STUDY = "plain"
START_S = 600.0  # for all workers to come up, on a busy machine
PATIENCE_S = 120.0  # without a trial's end after the schedule, before it is given up
DONE = 0


@dataclass(frozen=True)
class Loss:
    """What the schedule left of a study of `wanted` trials."""

    seconds: float
    faults: int
    wanted: int
    ended: int  # complete or pruned
    failed_for_good: int  # failed, and no retry of it ended well
    doubled: int  # ended more than once, as different trials
    epochs_lost: int  # reported by trials that failed: their retries began anew
    running: int  # left in that state
    waiting: int
    deaths: list[Exit]  # of workers that nobody had killed
    stuck: int  # workers that were still there when nothing went on any more


def suffer(faults: list[Fault], folder: Path, workers: int, wanted: int) -> Loss:
    """Let `workers` processes search for `wanted` trials while those of `faults` happen that can befall them."""
    started = time.monotonic()
    with Server(folder / "postgres") as server, Network(server.port, workers) as network:
        study = optuna.create_study(study_name=STUDY, storage=open_storage(server.url))
        places = [_place(folder, server.through(network.port(n)), n, wanted) for n in range(workers)]
        with Fleet(places, ends=lambda code: code == DONE) as fleet:
            _wait_for_the_first(study, workers)
            injector = Injector(general(fleet, network, server), lambda fault: [])
            injector.run([fault for fault in faults if fault.kind in GENERAL], over=lambda: len(fleet.left) == workers)
            assert injector.broken == []
            _wait_for_the_rest(study, fleet, workers)
            stuck = workers - len(fleet.left)
        return Loss(
            seconds=time.monotonic() - started,
            faults=len(injector.injected),
            wanted=wanted,
            deaths=[end for end in fleet.exits if not end.meant and end.code != DONE],
            stuck=stuck,
            **_outcome(study),
        )


def _place(folder: Path, url: str, number: int, wanted: int) -> Place:
    command = (sys.executable, "-m", "tests.chaos.plain_worker", url, STUDY, str(wanted))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TZ": "UTC"}
    return Place(command, environment, folder / f"plain-{number}.log")


def _wait_for_the_first(study: optuna.Study, workers: int) -> None:
    deadline = time.monotonic() + START_S
    while len(_trials(study, TrialState.RUNNING)) < workers:
        assert time.monotonic() < deadline, "the workers do not come up"
        time.sleep(0.5)


def _wait_for_the_rest(study: optuna.Study, fleet: Fleet, workers: int) -> None:
    """Until every worker has left in order, or no trial has ended for long."""
    ended, since = -1, time.monotonic()
    while len(fleet.left) < workers and time.monotonic() - since < PATIENCE_S:
        now = len(_trials(study, *ENOUGH))
        if now != ended:
            ended, since = now, time.monotonic()
        time.sleep(1.0)


def _outcome(study: optuna.Study) -> dict[str, int]:
    ended = Counter(_root(trial) for trial in _trials(study, *ENOUGH))
    failed = _trials(study, TrialState.FAIL)
    return {
        "ended": ended.total(),
        "failed_for_good": len({_root(trial) for trial in failed} - set(ended)),
        "epochs_lost": sum(len(trial.intermediate_values) for trial in failed),
        "doubled": sum(times > 1 for times in ended.values()),
        "running": len(_trials(study, TrialState.RUNNING)),
        "waiting": len(_trials(study, TrialState.WAITING)),
    }


def _trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states)


def _root(trial: FrozenTrial) -> int:
    """The number of the trial that this one is a retry of, or its own."""
    root = optuna.storages.RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if root is None else root
