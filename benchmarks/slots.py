"""Trials an hour on one device, by the number of slots, with real training.

    python benchmarks/slots.py [--preset quickstart] [--trials 24] [--slots 1 2 4 8] [--device auto]

For each number of slots one worker trains the same configurations of the preset, drawn at random under one seed,
without a pruner. Its processes have loaded the data before: the clock runs from the first lease of the second of
two studies to the end of its last trial. Prints a table in Markdown. Postgres is the embedded one, or a database
of its own in that of DATABASE_URL.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import os
import platform
import subprocess
import time
import warnings

import optuna
import torch

from benchmarks.queue import database
from search_spaces import StudyDefinition, load_preset, parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.studies import studies

POLL_S = 0.2


def main() -> None:
    options = parser().parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with database() as db:
        hourly = {slots: trials_an_hour(db, slots, options) for slots in options.slots}
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    print(f"{options.trials} trials of {options.preset}, {name}, {versions}\n")
    print(f"| slots | trials an hour | beside {options.slots[0]} |\n| ---: | ---: | ---: |")
    for slots, rate in hourly.items():
        print(f"| {slots} | {rate:,.0f} | {rate / hourly[options.slots[0]]:.2f} |")


def trials_an_hour(db: Database, slots: int, options: argparse.Namespace) -> float:
    """Of one worker with so many slots."""
    command = [sys.executable, "-m", "workers", "--device", options.device, "--slots", str(slots), "--poll", "0.1"]
    environment = {**os.environ, "DATABASE_URL": db.url, "PERNODEDROP_CHECKPOINTS": "none"}
    with subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment) as worker:
        try:
            while len(workers.alive(db)) < slots:
                wait_for(worker)
            seconds_of(db, worker, study(f"warm-{slots}", 2 * slots, options))
            seconds = seconds_of(db, worker, study(f"timed-{slots}", options.trials, options))
            return options.trials / seconds * 3600
        finally:
            worker.terminate()


def study(name: str, trials: int, options: argparse.Namespace) -> StudyDefinition:
    """The preset's search space at random, so that every number of slots trains the same."""
    unpruned = {"name": name, "sampler": {"name": "random", "seed": 7}, "pruner": {"name": "none"}}
    return parse_definition({**load_preset(options.preset), **unpruned, "budget": {"trials": trials}})


def seconds_of(db: Database, worker: subprocess.Popen[bytes], definition: StudyDefinition) -> float:
    """From the study's first lease to the end of its last trial."""
    studies.create(db, definition)
    while (record := studies.get(db, definition.name)).finished_at is None:
        wait_for(worker)
    assert record.counts["complete"] == definition.budget.trials, record.counts
    assert record.started_at is not None
    return (record.finished_at - record.started_at).total_seconds()


def wait_for(worker: subprocess.Popen[bytes]) -> None:
    """Let the worker work for a moment, if it still does."""
    if worker.poll() is not None:
        sys.exit(f"the worker ended with status {worker.returncode}")
    time.sleep(POLL_S)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    main()
