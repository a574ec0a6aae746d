"""How far one Postgres carries: a thousand workers, many studies, a long history.

    python benchmarks/scale.py                          everything, some twenty minutes on two cores
    python benchmarks/scale.py duty --workers 200 --seconds 30
    python benchmarks/scale.py saturation --workers 8 --sampler tpe
    python benchmarks/scale.py history --trials 10000

duty        Workers whose trials take `--seconds`, on one study and on many: the load that so many real workers
            would be. The workers are real agents with leases, renewals, suggestions, curves and reports, each with
            a `Database` of its own; only their trial processes let time pass instead of training.
saturation  Trials that take no time: the most a second that this machine carries. Clients and server share its
            cores here, so what to scale by is Postgres's CPU time a trial.
history     A study with many finished trials: how soon a new worker is ready, and what a trial costs it to ask
            for, beside Optuna's own reader.

Every part starts a Postgres of its own with the default limit of 100 connections, and ends with an audit of its
books. Prints tables in Markdown: milliseconds as a worker sees them. `ask` goes from the lease to the parameters,
`epoch` writes curves and report and asks the pruner, `tell` ends the run.
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
import time
import warnings
from collections import Counter
from contextlib import nullcontext

import numpy as np
import optuna

from benchmarks.history import measure_history
from benchmarks.pgbouncer import pooled
from benchmarks.server import Watch, started
from benchmarks.simulation import Duty, Times, work
from search_spaces import StudyDefinition, parse_definition
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.studies import studies

SPACE = {
    "regularizer": {"type": "categorical", "choices": ["dropout", "pernodedrop"]},
    "stir_type": {
        "type": "categorical",
        "choices": ["bernoulli", "gaussian", "partial_gaussian"],
        "when": {"regularizer": "pernodedrop"},
    },
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
    "units": {"type": "categorical", "choices": [32, 64, 128]},
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
}
STEPS = ("claim", "ask", "epoch", "tell")


def main() -> None:
    options = parser().parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    busy = f"load {os.getloadavg()[0]:.1f} before the start"
    print(f"Python {platform.python_version()}, Optuna {optuna.__version__}, {os.cpu_count()} cores, {busy}\n")
    if options.part in ("all", "duty"):
        print(f"{options.workers} workers, trials of {options.seconds:g} s in {options.epochs} epochs, "
              f"{options.each} a worker, sampler {options.sampler}, pruner {options.pruner}\n")  # fmt: skip
        loads = {f"{count} studies": load(options, count, options.seconds) for count in options.studies}
        print(table(loads))
    if options.part in ("all", "saturation"):
        print(f"{options.busy} workers, trials that take no time, sampler {options.sampler}\n")
        options.workers, options.each = options.busy, options.trials // 20 // options.busy
        print(table({"saturation": load(options, 1, 0.0)}))
    if options.part in ("all", "history"):
        with started() as (url, _):
            print(measure_history(url, definition("history", options.trials, options, sampler="tpe"), options.trials))


def load(options: argparse.Namespace, count: int, seconds: float) -> dict[str, str]:
    """One column of the table: so many studies, trained by all workers."""
    trials = options.workers * options.each
    with started() as (url, server_pid):
        with Database.open(url) as db:
            for index in range(count):
                share = len(range(index, trials, count))
                studies.create(db, definition(f"scale-{index}", share, options))
        duty = Duty(seconds, options.epochs, spread_s=seconds)
        with Watch(url, server_pid) as watch:
            begun = time.perf_counter()
            with pooled(url) if options.pgbouncer else nullcontext(url) as reached:
                times = work(reached, options.workers, options.processes, duty)
            taken = time.perf_counter() - begun
        with Database.open(url) as db:
            records = studies.page(db, limit=count)
            complete = sum(record.counts["complete"] + record.counts["pruned"] for record in records)
            findings = audit(db)
    for finding in findings[:10]:
        print(f"audit: {finding}")
    for error, number in times.errors.most_common(10):
        print(f"{number} times: {error}")
    return {
        **{step: percentiles(times, step) for step in STEPS},
        "trials a second": f"{complete / taken:.1f}",
        "most claims in a second": str(max(Counter(map(int, times.claimed_at)).values())),
        "Postgres: ms of CPU a trial": f"{watch.cpu_s / trials * 1000:.1f}",
        "Postgres: share of a core": f"{watch.cpu_s / taken:.2f}",
        "transactions a trial": f"{watch.commits / trials:.0f}",
        "statements a trial": f"{times.statements / trials:.0f}",
        "most connections": str(watch.peak_connections),
        "finished of the budget": f"{complete:,} of {trials:,}",
        "findings of the audit": str(len(findings)),
    }


def definition(name: str, trials: int, options: argparse.Namespace, sampler: str | None = None) -> StudyDefinition:
    return parse_definition(
        {
            "name": name,
            "task": {"name": "digits", "epochs": options.epochs},  # which nobody trains
            "search_space": SPACE,
            "sampler": {"name": sampler or options.sampler},
            "pruner": {"name": options.pruner},
            "budget": {"trials": trials},
        }
    )


def percentiles(times: Times, step: str) -> str:
    return " / ".join(f"{value:,.0f}" for value in np.percentile(times.steps[step], [50, 95, 99]))


def table(columns: dict[str, dict[str, str]]) -> str:
    rows = next(iter(columns.values()))
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for row in rows:
        name = f"{row}: 50 / 95 / 99 % of them within ms" if row in STEPS else row
        lines.append(f"| {name} | {' | '.join(column[row] for column in columns.values())} |")
    return "\n".join(lines) + "\n"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("part", nargs="?", choices=["all", "duty", "saturation", "history"], default="all")
    made.add_argument("--workers", type=int, default=1000, help="of the duty (default: 1000)")
    made.add_argument("--studies", type=int, nargs="+", default=[1, 50], help="one load each (default: 1 50)")
    made.add_argument("--seconds", type=float, default=120, help="a trial of the duty takes (default: 120)")
    made.add_argument("--epochs", type=int, default=5, help="of a trial (default: 5)")
    made.add_argument("--each", type=int, default=2, help="trials a worker of the duty (default: 2)")
    made.add_argument("--busy", type=int, default=8, help="workers of the saturation (default: 8)")
    made.add_argument("--trials", type=int, default=10_000, help="of the history; saturation: a 20th (default: 10000)")
    made.add_argument("--sampler", default="random", help="random, tpe... (default: random)")
    made.add_argument("--pruner", default="none", help="none, hyperband, median... (default: none)")
    made.add_argument("--processes", type=int, default=4, help="that the workers are spread over (default: 4)")
    made.add_argument("--pgbouncer", action="store_true", help="workers reach Postgres through a PgBouncer")
    return made


if __name__ == "__main__":
    main()
