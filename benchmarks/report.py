"""What the report of a large study costs: seconds, memory, and what others wait meanwhile.

    python benchmarks/report.py [--trials 1000 10000 100000] [--epochs 3] [--repeats 1] [--beside CHECKOUT]

A Postgres of its own gets studies of so many trials that have ended, with learning curves of six points an epoch, by
INSERT. A real controller is asked for each report twice, four times at once, and for every table as a file; a second
client asks for a trial meanwhile, ten times a second. Memory is the controller's peak above its start (VmHWM). CHECKOUT
is another working copy of this repository, on the same schema: its controller serves the same database.
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
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import sqlalchemy as sa

from benchmarks.server import cpu_seconds, started
from benchmarks.study_list import SPACE, controller
from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.studies import studies

PATIENCE_S = 1200.0
TABLES = ("records.csv", "curves.csv", "curves.parquet", "paper_table.csv")

# As workers leave them: of twenty trials one has failed and two were pruned.
_END = """
    UPDATE fleet.runs SET
        state = CASE ordinal % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'pruned' WHEN 2 THEN 'pruned' ELSE 'complete' END,
        reason = CASE ordinal % 20 WHEN 0 THEN 'training loss became nan in epoch ' || ordinal % 7 END,
        values = CASE ordinal % 20 WHEN 0 THEN NULL ELSE ARRAY[0.1 + random()] END,
        params = jsonb_build_object('drop_rate', (ordinal % 10) / 10.0, 'units', (ARRAY[32, 64, 128])[1 + ordinal % 3],
            'learning_rate', 0.0001 + 0.09 * random()) || CASE ordinal % 4
            WHEN 0 THEN '{"regularizer": "dropout"}'
            WHEN 1 THEN '{"regularizer": "pernodedrop", "stir_type": "bernoulli"}'
            WHEN 2 THEN '{"regularizer": "pernodedrop", "stir_type": "gaussian"}'
            ELSE '{"regularizer": "pernodedrop", "stir_type": "partial_gaussian"}' END::jsonb,
        facts = '{"backend": "kernel", "parameters": 9098, "device": "cpu", "threads": 1, "precision": "float32"}',
        token = 1, attempts = 1, epoch = :epochs, best_epoch = 2, trial_number = ordinal, spent_s = 61.5,
        started_at = now() - interval '62 seconds', finished_at = now()
    WHERE study_id = :study
"""
_CURVES = """
    INSERT INTO fleet.curves (run_id, repeat, epoch, split, metric, value)
    SELECT r.id, repeats.n, epochs.n, m.split, m.metric, (0.2 + random()) / epochs.n
    FROM fleet.runs r, generate_series(0, :repeats - 1) repeats(n), generate_series(1, :epochs) epochs(n),
        (VALUES ('train', 'loss'), ('train', 'accuracy'), ('train', 'seconds'),
                ('val', 'loss'), ('val', 'accuracy'), ('test', 'loss')) m(split, metric)
    WHERE r.study_id = :study AND r.ordinal % 20 > 0
"""


def fill(url: str, trials: int, epochs: int, repeats: int) -> str:
    """Create a study whose trials have ended; returns its name."""
    name = f"study-{trials}"
    data = {
        "name": name,
        "task": {"name": "digits", "epochs": epochs},
        "search_space": SPACE,
        "repeats": repeats,
        "sampler": {"name": "random"},
        "budget": {"trials": trials},
    }
    with Database.open(url) as db:
        study = studies.create(db, parse_definition(data)).id
        with db.engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text("ALTER TABLE fleet.runs DISABLE TRIGGER USER"))
            connection.execute(sa.text(_END), {"epochs": epochs, "study": study})
            connection.execute(sa.text(_CURVES), {"epochs": epochs, "repeats": repeats, "study": study})
            ended = "UPDATE fleet.studies SET started_at = created_at, finished_at = now() WHERE id = :study"
            connection.execute(sa.text(ended), {"study": study})
            connection.execute(sa.text("ALTER TABLE fleet.runs ENABLE TRIGGER USER"))
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("SET statement_timeout = 0"))
            connection.execute(sa.text("VACUUM ANALYZE"))  # as the server does by itself after a while
    return name


def megabytes(pid: int, line: str) -> float:
    """The process's memory: VmHWM is its peak, VmRSS what it holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


class Neighbour:
    """Another client, who asks for one trial ten times a second; `slowest` is its longest wait in s."""

    def __init__(self, address: str, study: str) -> None:
        self._url = f"{address}/v1/studies/{study}/trials/1"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest = 0.0

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            while not self._done.wait(0.1):
                begun = time.perf_counter()
                client.get(self._url)
                self.slowest = max(self.slowest, time.perf_counter() - begun)


def measured(ask: Callable[[], list[httpx.Response]], address: str, pid: int, study: str) -> list[str]:
    """Seconds, CPU of the controller, its memory, the neighbour's longest wait, the statuses and the size."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    before, begun = cpu_seconds(pid), time.perf_counter()
    with Neighbour(address, study) as neighbour:
        answers = ask()
        taken = time.perf_counter() - begun
    statuses = " ".join(str(answer.status_code) for answer in answers)
    figures = (taken, cpu_seconds(pid) - before, megabytes(pid, "VmHWM"), 1000 * neighbour.slowest)
    return [*(f"{figure:.1f}" for figure in figures), statuses, f"{len(answers[-1].content) / 2**20:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--beside", type=Path, help="another checkout to measure in the same run")
    options = parser.parse_args()
    checkouts = {"this": ROOT} | ({} if options.beside is None else {"beside": options.beside.resolve()})
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    print(f"{options.epochs} epochs, repeats: {options.repeats}\n")
    columns = ["checkout", "trials", "request", "s", "CPU s", "MB", "neighbour's wait, ms", "status", "answer, MB"]
    print(f"| {' | '.join(columns)} |\n| --- | ---: | --- |{' ---: |' * (len(columns) - 3)}")
    with started() as (url, _):
        for trials in options.trials:
            study = fill(url, trials, options.epochs, options.repeats)
            for name, path in checkouts.items():
                with controller(url, path) as (address, pid), httpx.Client(timeout=PATIENCE_S) as client:
                    page = f"{address}/v1/studies/{study}/report"

                    def at_once(page: str = page, client: httpx.Client = client) -> list[httpx.Response]:
                        client.patch(page.removesuffix("/report"), json={"priority": 1})  # what was kept is old now
                        with ThreadPoolExecutor(4) as pool:
                            return list(pool.map(client.get, [page] * 4))

                    requests: dict[str, Callable[[], list[httpx.Response]]] = {
                        "report": lambda page=page, client=client: [client.get(page)],
                        "report again": lambda page=page, client=client: [client.get(page)],
                    }
                    for table in TABLES:
                        file = f"{address}/v1/studies/{study}/{table}"
                        requests[table] = lambda file=file, client=client: [client.get(file)]
                    requests["report, 4 at once"] = at_once
                    started_with = megabytes(pid, "VmRSS")
                    print(f"| {name} | {trials:,} | none | | | {started_with:.0f} | | | |")
                    for request, ask in requests.items():
                        row = [name, f"{trials:,}", request, *measured(ask, address, pid, study)]
                        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
