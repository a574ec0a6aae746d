"""What the whole path costs beside the training: trials that only sleep, ours and plain Optuna's in one run.

    python benchmarks/overhead.py [--trials 200] [--workers 8] [--seconds 1] [--steps 5]

Every trial sleeps `seconds` in `steps` reported steps; ideal is trials x seconds / workers. Ours goes the whole
way: queue, lease, suggestions, trial process, curves, Optuna's record. Plain Optuna is as many processes in
`study.optimize` with reports, on the same Postgres. Both clocks start when all processes are up and stop with
the last trial.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import math
import multiprocessing
import os
import platform
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event, Semaphore

import optuna
from rich.console import Console
from rich.table import Table

from benchmarks.queue import database
from search_spaces import StudyDefinition, parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.studies import studies

SPACE = {f"x{i}": {"type": "float", "low": 0.0, "high": 1.0} for i in range(5)}
LOOK_S = 0.2
START_S = 300.0  # for all processes to come up, on a busy machine


def ours(db: Database, options: argparse.Namespace) -> float:
    """Seconds from the first claim to the end of the last trial."""
    with fleet_of(db, options, db.url) as ended:
        studies.create(db, definition(options))
        wait(lambda: studies.get(db, "sleep").finished_at is not None, ended)
        study = studies.get(db, "sleep")
        assert study.counts["complete"] == options.trials, study.counts
        assert study.started_at is not None and study.finished_at is not None
        return (study.finished_at - study.started_at).total_seconds()


@contextmanager
def fleet_of(db: Database, options: argparse.Namespace, url: str) -> Iterator[Callable[[], list[int]]]:
    """Workers that are alive and reach the database by `url`; gives the exit codes of those that have ended."""
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", "--log-level", "warning"]
    environment = {**os.environ, "DATABASE_URL": url, "PERNODEDROP_CHECKPOINTS": "none"}
    fleet = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(options.workers)]

    def ended() -> list[int]:
        return [code for worker in fleet if (code := worker.poll()) is not None]

    try:
        wait(lambda: len(workers.alive(db)) >= options.workers, ended, START_S)
        yield ended
    finally:
        for worker in fleet:
            worker.terminate()
        for worker in fleet:
            worker.wait()


def definition(options: argparse.Namespace) -> StudyDefinition:
    return parse_definition(
        {
            "name": "sleep",
            "task": {
                "name": "benchmarks.sleeping:Sleeping",
                "epochs": options.steps,
                "options": {"seconds": options.seconds / options.steps},
            },
            "search_space": SPACE,
            "sampler": {"name": "random"},
            "pruner": {"name": "none"},
            "budget": {"trials": options.trials},
        }
    )


def plain(db: Database, options: argparse.Namespace) -> float:
    """As `ours`; the trials are divided among the processes, which is the best that plain Optuna can do exactly."""
    optuna.create_study(study_name="plain", storage=db.optuna)
    context = multiprocessing.get_context("spawn")
    share = options.trials // options.workers
    up, start, ends = context.Semaphore(0), context.Event(), context.SimpleQueue()
    arguments = (db.url, options, up, start, ends)
    processes = [context.Process(target=_optimize, args=arguments) for _ in range(options.workers)]

    def failed() -> list[int]:
        return [process.exitcode for process in processes if process.exitcode]

    try:
        for process in processes:
            process.start()
        for _ in processes:
            wait(lambda: up.acquire(block=False), failed, START_S)
        started = time.perf_counter()
        start.set()
        wait(lambda: all(process.exitcode == 0 for process in processes), failed)
        seconds = max(ends.get() for _ in processes) - started
        return seconds * options.trials / (share * options.workers)
    finally:
        for child in multiprocessing.active_children():
            child.kill()


def wait(done: Callable[[], bool], ended: Callable[[], list[int]], seconds: float = math.inf) -> None:
    """Until it is done; ends the benchmark if a process has ended with one of these codes, or after so long."""
    deadline = time.monotonic() + seconds
    while not done():
        if codes := ended():
            sys.exit(f"error: a process that was to work ended with exit code {codes[0]}: what it said is above")
        if time.monotonic() > deadline:
            sys.exit(f"error: not every process came up within {seconds:g} s: try fewer --workers")
        time.sleep(LOOK_S)


def _optimize(url: str, options: argparse.Namespace, up: Semaphore, start: Event, ends: "SimpleQueue[float]") -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(url)
    sampler = optuna.samplers.RandomSampler(seed=os.getpid())
    study = optuna.load_study(study_name="plain", storage=storage, sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        for name in SPACE:
            trial.suggest_float(name, 0.0, 1.0)
        for step in range(1, options.steps + 1):
            time.sleep(options.seconds / options.steps)
            trial.report(1 / step, step)
        return 1 / options.steps

    up.release()
    start.wait()
    study.optimize(objective, n_trials=options.trials // options.workers)
    ends.put(time.perf_counter())  # one clock for all processes of a machine


def parsed(description: str | None, *, trials: int, workers: int, seconds: float) -> argparse.Namespace:
    """The options of the command line, with these defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=trials)
    parser.add_argument("--workers", type=int, default=workers)
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--steps", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    options = parsed(__doc__, trials=200, workers=8, seconds=1.0)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with database() as db:
        seconds = {"plain study.optimize": plain(db, options), "ours": ours(db, options)}
    ideal = options.trials * options.seconds / options.workers
    console = Console()
    console.print(f"Python {platform.python_version()}, Optuna {optuna.__version__}, {os.cpu_count()} cores")
    title = f"{options.trials} trials of {options.seconds:g} s in {options.steps} steps, {options.workers} at a time"
    table = Table("", "seconds", "of the ideal", title=title)
    table.add_row("ideal", f"{ideal:.1f}", "1.00")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.1f}", f"{value / ideal:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
