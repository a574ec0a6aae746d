"""What a lag costs in time: how long a fleet takes for runs of unequal length, by the lag.

    python -m benchmarks.lag [--trials 64] [--seconds 2] [--workers 4 8] [--lags 4 8 16]

Every run sleeps, so that any machine can hold the fleet. Three laws of a run's length, each with the mean `seconds`:
lognormal (sigma 0.5), "cut" (seven of ten end at a quarter, as pruned ones do), and "rare" (one in twenty is ten times
as long). A run's length follows from its place in the search, so every fleet and every lag sleep the same. The clock
runs from the first lease to the last end. Prints a table in Markdown: the time beside that without a lag, and in
brackets the same of a fleet that takes no time for anything else.
"""

import argparse
import heapq
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from benchmarks.queue import database
from search_spaces import StudyDefinition, parse_definition
from search_spaces.resolution import fixed_params
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.studies import studies

ROOT = Path(__file__).parents[1].resolve()
LAWS = ("lognormal", "cut", "rare")
LOOK_S = 0.1
START_S = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0, help="mean length of a run")
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--lags", type=int, nargs="+", default=[4, 8, 16])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"| workers | length of runs | s without a lag | {' | '.join(f'lag {lag}' for lag in options.lags)} |")
    print("| ---: | --- | ---: |" + " ---: |" * len(options.lags), flush=True)
    for size in options.workers:
        with database() as db, Fleet(db, size):
            for law in LAWS:
                free, *lagged = (elapsed(db, law, lag, options) for lag in (None, *options.lags))
                drawn = in_order(law, options)
                ideal = [span(drawn, size, lag) / span(drawn, size, None) for lag in options.lags]
                cells = " | ".join(f"{s / free:.2f} ({least:.2f})" for s, least in zip(lagged, ideal, strict=True))
                print(f"| {size} | {law} | {free:.1f} | {cells} |", flush=True)


class Fleet:
    """So many workers of one slot, which are up when the block begins."""

    def __init__(self, db: Database, size: int) -> None:
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", "--log-level", "warning"]
        environment = {**os.environ, "DATABASE_URL": db.url, "PERNODEDROP_CHECKPOINTS": "none", "OMP_NUM_THREADS": "1"}
        self._workers = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(size)]
        self._db = db

    def __enter__(self) -> None:
        deadline = time.monotonic() + START_S
        while len(workers.alive(self._db)) < len(self._workers):
            if time.monotonic() > deadline or any(worker.poll() is not None for worker in self._workers):
                self.__exit__()
                sys.exit("error: the workers do not come up")
            time.sleep(LOOK_S)

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait()


def elapsed(db: Database, law: str, lag: int | None, options: argparse.Namespace) -> float:
    """Seconds from the study's first lease to the end of its last run."""
    definition = study(law, lag, lengths(law, options.trials) * options.seconds)
    studies.create(db, definition)
    while (record := studies.get(db, definition.name)).finished_at is None:
        time.sleep(LOOK_S)
    assert record.counts["complete"] == options.trials and record.started_at is not None, record.counts
    seconds = (record.finished_at - record.started_at).total_seconds()
    studies.delete(db, definition.name)
    return seconds


def study(law: str, lag: int | None, seconds: NDArray[np.float64]) -> StudyDefinition:
    """A grid over the runs' lengths; its seed, and so its order, is the same for every lag."""
    sampler = {"name": "grid", **({} if lag is None else {"lag": lag})}
    return parse_definition(
        {
            "name": f"{law}-{lag or 0}",
            "task": {"name": "benchmarks.sleeping:AsLongAsDrawn", "epochs": 1, "options": {}},
            "search_space": {"seconds": {"type": "categorical", "choices": [round(float(s), 6) for s in seconds]}},
            "sampler": sampler,
            "pruner": {"name": "none"},
        }
    )


def in_order(law: str, options: argparse.Namespace) -> list[float]:
    """The lengths of the runs in the order of the queue."""
    definition = study(law, None, lengths(law, options.trials) * options.seconds)
    params = [fixed_params(definition, place) for place in range(options.trials)]
    return [float(str((each or {})["seconds"])) for each in params]


def span(seconds: list[float], size: int, lag: int | None) -> float:
    """How long so many workers take if a run begins as soon as a worker is free and its turn has come."""
    free, ends, begun = [0.0] * size, list[float](), 0.0
    for place, length in enumerate(seconds):
        awaited = [] if lag is None else ends[: max(0, place - lag)]
        begun = max(heapq.heappop(free), begun, *awaited)
        ends.append(begun + length)
        heapq.heappush(free, ends[-1])
    return max(ends)


def lengths(law: str, trials: int) -> NDArray[np.float64]:
    """The runs' lengths with mean 1, no two alike, so that each is a value of a grid."""
    draws = np.random.default_rng(7)
    if law == "lognormal":
        drawn = draws.lognormal(0, 0.5, trials)
    elif law == "cut":
        drawn = np.where(draws.random(trials) < 0.7, 0.25, 1.0)
    else:
        drawn = np.where(np.arange(trials) % 20 == 10, 10.0, 1.0)
    drawn = drawn + 1e-4 * np.arange(trials)
    return np.asarray(drawn / drawn.mean())


if __name__ == "__main__":
    main()
