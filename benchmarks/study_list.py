"""What the list of studies costs: a page of `GET /v1/studies` from a real controller.

    python benchmarks/study_list.py [--studies 1000] [--runs 100] [--requests 21] [--beside CHECKOUT]

A Postgres of its own holds so many studies, each with so many runs that have ended, some failed or pruned. One page of
all of them is asked for again and again, by one client over HTTP. The first answer reads every definition anew and is
told apart. CHECKOUT is another working copy of this repository, on the same schema: its controller serves the same
database, and requests to both alternate, so that a noisy neighbour meets both. CPU is the mean of a request.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import contextlib
import os
import platform
import socket
import statistics
import subprocess
import time
import warnings
from collections.abc import Iterator

import httpx
import optuna
import sqlalchemy as sa

from benchmarks.server import cpu_seconds, started
from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.runs import counting
from service.storage.studies import studies

FOLD_S = 60.0  # of counters at a time
START_S = 60.0  # for a controller to come up
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

# As a worker leaves them behind; of twenty runs one has failed and two were pruned.
_END_ALL = """
    UPDATE fleet.runs SET
        state = CASE ordinal % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'pruned' WHEN 2 THEN 'pruned' ELSE 'complete' END,
        reason = CASE ordinal % 20 WHEN 0 THEN 'training loss became nan' END,
        values = CASE ordinal % 20 WHEN 0 THEN NULL ELSE ARRAY[random()] END,
        params = '{"regularizer": "pernodedrop", "stir_type": "gaussian", "drop_rate": 0.3, "units": 64,
            "learning_rate": 0.003}',
        facts = '{"backend": "kernel", "parameters": 9098, "device": "cpu", "threads": 1, "precision": "float32"}',
        token = 1, attempts = 1, epoch = 20, best_epoch = 12, trial_number = ordinal, spent_s = 61.5,
        started_at = now() - interval '62 seconds', finished_at = now()
"""


def fill(url: str, count: int, runs: int) -> None:
    """Create the studies and end their runs."""
    with Database.open(url) as db:
        for number in range(count):
            definition = {
                "name": f"study-{number}",
                "task": {"name": "digits", "epochs": 20},
                "search_space": SPACE,
                "budget": {"trials": runs},
            }
            studies.create(db, parse_definition(definition))
        with db.engine.begin() as connection:
            connection.execute(sa.text(_END_ALL))
            connection.execute(sa.text("UPDATE fleet.studies SET started_at = created_at, finished_at = now()"))
        while counting.fold(db, FOLD_S):  # as the controller does by itself within seconds
            pass
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))  # as the server does by itself after a while


@contextlib.contextmanager
def controller(url: str, checkout: Path) -> Iterator[tuple[str, int]]:
    """The address and the process id of a controller that runs the checkout's code on this database."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(checkout)}
    environment.pop("PERNODEDROP_API_KEY", None)
    command = [sys.executable, "-m", "service.cli", "controller", "--port", str(port)]
    process = subprocess.Popen(command, cwd=checkout, env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not _is_ready(address):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: the controller of {checkout} did not start: try it by hand")
            time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def _is_ready(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/v1/ready", timeout=START_S).is_success
    return False


def answer_ms(client: httpx.Client, address: str, count: int) -> float:
    """Milliseconds from the request to the whole answer."""
    begun = time.perf_counter()
    response = client.get(f"{address}/v1/studies", params={"limit": count})
    taken = (time.perf_counter() - begun) * 1000
    listed = response.raise_for_status().json()["studies"]
    assert len(listed) == count and all(study["best"] is not None for study in listed)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="at most 1000, the most of one page")
    parser.add_argument("--runs", type=int, default=100, help="of each study")
    parser.add_argument("--requests", type=int, default=21)
    parser.add_argument("--beside", type=Path, help="another checkout to measure in the same run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    checkouts = {"this checkout": ROOT} | ({} if options.beside is None else {"beside": options.beside.resolve()})
    busy = f"load {os.getloadavg()[0]:.1f} before the start"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {busy}\n")
    with started() as (url, server_pid), contextlib.ExitStack() as stack:
        fill(url, options.studies, options.runs)
        served = {name: stack.enter_context(controller(url, path)) for name, path in checkouts.items()}
        client = stack.enter_context(httpx.Client(timeout=600))
        first = {name: answer_ms(client, address, options.studies) for name, (address, _) in served.items()}
        asked: dict[str, list[tuple[float, ...]]] = {name: [] for name in served}
        for _ in range(options.requests):
            for name, (address, pid) in served.items():
                before = cpu_seconds(pid), cpu_seconds(server_pid)
                taken = answer_ms(client, address, options.studies)
                asked[name].append((taken, cpu_seconds(pid) - before[0], cpu_seconds(server_pid) - before[1]))
    columns = ["first", "fastest", "median", "95 %", "CPU of the controller", "CPU of Postgres"]
    print(f"| {options.studies:,} studies of {options.runs} runs, ms | {' | '.join(columns)} |")
    print(f"| --- |{' ---: |' * len(columns)}")
    for name, figures in asked.items():
        taken, ours, theirs = zip(*figures, strict=True)
        row = [first[name], min(taken), statistics.median(taken), statistics.quantiles(taken, n=20)[-1]]
        row += [1000 * statistics.fmean(ours), 1000 * statistics.fmean(theirs)]
        print(f"| {name} | {' | '.join(f'{value:.0f}' for value in row)} |")
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
