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
import multiprocessing
import os
import platform
import subprocess
import time
import warnings
from multiprocessing.synchronize import Barrier

import optuna
from rich.console import Console
from rich.table import Table

from benchmarks.queue import database
from search_spaces import parse_definition
from service.storage import studies, workers
from service.storage.database import Database

SPACE = {f"x{i}": {"type": "float", "low": 0.0, "high": 1.0} for i in range(5)}


def ours(db: Database, options: argparse.Namespace) -> float:
    """Seconds from the first claim to the end of the last trial."""
    command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.1", "--log-level", "warning"]
    environment = {**os.environ, "DATABASE_URL": db.url, "PERNODEDROP_CHECKPOINTS": "none"}
    fleet = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(options.workers)]
    try:
        while len(workers.alive(db)) < options.workers:
            time.sleep(0.5)
        definition = parse_definition(
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
        studies.create(db, definition)
        while (study := studies.get(db, "sleep")).finished_at is None:
            time.sleep(1)
        assert study.counts["complete"] == options.trials, study.counts
        assert study.started_at is not None
        return (study.finished_at - study.started_at).total_seconds()
    finally:
        for worker in fleet:
            worker.terminate()
        for worker in fleet:
            worker.wait()


def plain(db: Database, options: argparse.Namespace) -> float:
    """As `ours`; the trials are divided among the processes, which is the best that plain Optuna can do exactly."""
    optuna.create_study(study_name="plain", storage=db.optuna)
    context = multiprocessing.get_context("spawn")
    start, end = context.Barrier(options.workers + 1), context.Barrier(options.workers + 1)
    share = options.trials // options.workers
    arguments = (db.url, share, options.seconds, options.steps, (start, end))
    processes = [context.Process(target=_optimize, args=arguments) for _ in range(options.workers)]
    for process in processes:
        process.start()
    start.wait()
    started = time.perf_counter()
    end.wait()
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    return seconds * options.trials / (share * options.workers)


def _optimize(url: str, trials: int, seconds: float, steps: int, barriers: tuple[Barrier, Barrier]) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(url)
    sampler = optuna.samplers.RandomSampler(seed=os.getpid())
    study = optuna.load_study(study_name="plain", storage=storage, sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        for name in SPACE:
            trial.suggest_float(name, 0.0, 1.0)
        for step in range(1, steps + 1):
            time.sleep(seconds / steps)
            trial.report(1 / step, step)
        return 1 / steps

    barriers[0].wait()
    study.optimize(objective, n_trials=trials)
    barriers[1].wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
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
