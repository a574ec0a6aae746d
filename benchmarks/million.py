"""What a study of a million trials costs its owner and everybody else.

    python benchmarks/million.py [--trials 1000 100000 1000000] [--rows 100000]

A controller on a Postgres of its own creates, lists, pages, stops and deletes a study of each size, asked over HTTP.
Meanwhile another client asks for a list and for a study, and a worker claims and ends the runs of another study and
sweeps as workers do. "Others" are the longest and the 95th percentile of their waits from the beginning of the call
until nothing of it is left to do; "quiet" is the same before the first call. Only so many of a long study's runs have
rows; the last lines are a study of which all of `--rows` runs have them, as in a database of an earlier version, first
waiting and then ended. A machine that does something else shows in the quiet line.
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
import statistics
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

import httpx
import optuna
import sqlalchemy as sa

from benchmarks.server import started
from benchmarks.study_list import controller
from search_spaces.budget import MOST_TRIALS
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.runs import claiming, holding
from service.storage.runs.expiry import expire
from service.storage.states import RunState

SWEEP_EVERY_S = 2.0  # as a worker of a lease of 6 s; most sweep less often
PAUSE_S = 0.02
QUIET_S = 5.0
LONGEST_S = 900.0
_LEFT = """
    SELECT EXISTS (SELECT FROM fleet.deleted_studies)
        OR EXISTS (SELECT FROM fleet.studies WHERE state = 'stopped' AND finished_at IS NULL)
"""
# A study of an earlier version has a row for each of its runs.
_ROWS = """
    WITH study AS (UPDATE fleet.studies s SET to_come = 0 FROM fleet.studies old WHERE s.id = old.id AND s.name = :name
        RETURNING s.id, old.to_come, (SELECT max(ordinal) FROM fleet.runs WHERE study_id = s.id) AS last)
    INSERT INTO fleet.runs (study_id, ordinal) SELECT id, last + n FROM study, generate_series(1, to_come) n
"""
_END = """
    UPDATE fleet.runs SET state = 'complete', values = ARRAY[random()], trial_number = ordinal, token = 1, attempts = 1,
        params = '{"drop_rate": 0.3}', started_at = now(), finished_at = now()
    WHERE study_id = (SELECT id FROM fleet.studies WHERE name = :name)
"""


class Probe:
    """Calls again and again in a thread of its own, and keeps when each call began and how long it took."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call, self._done = call, threading.Event()
        self._waits: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._done.wait(PAUSE_S):
            begun = time.monotonic()
            self._call()
            self._waits.append((begun, time.monotonic() - begun))

    def told(self, since: float, until: float) -> str:
        """The longest wait and the 95th percentile of the calls in this time, in ms."""
        waits = [1000 * wait for begun, wait in self._waits if begun + wait >= since and begun <= until]
        if len(waits) < 2:
            return "-"
        return f"{max(waits):.0f} ({statistics.quantiles(waits, n=20)[-1]:.0f})"


class Worker:
    """One worker's way through the queue, without training."""

    def __init__(self, db: Database) -> None:
        self._db, self._id, self._sweep_at = db, workers.register(db, "probe", os.getpid(), "cpu"), 0.0

    def look(self) -> None:
        """Sweep if it is time, claim a run and end it."""
        if time.monotonic() > self._sweep_at:
            expire(self._db)
            self._sweep_at = time.monotonic() + SWEEP_EVERY_S
        lease = claiming.claim(self._db, self._id, 60)
        assert lease is not None
        holding.finish(self._db, lease, RunState.COMPLETE, values=[0.5], tell=lambda: None)


def definition(name: str, trials: int, **parts: object) -> dict[str, object]:
    return {
        "name": name,
        "task": {"name": "digits", "epochs": 3},
        "search_space": {"drop_rate": {"type": "float", "low": 0.0, "high": 0.9}},
        "fixed": {"regularizer": "dropout"},
        "sampler": {"name": "random"},
        "budget": {"trials": trials},
        **parts,
    }


class Table:
    """Makes calls, and prints a line for each as soon as nothing of it is left to do."""

    def __init__(self, db: Database, client: httpx.Client, probes: list[Probe]) -> None:
        self._db, self._client, self._probes = db, client, probes
        columns = ["caller waits, s", "done after, s", "others' requests, ms", "others' claims, ms"]
        print(f"| trials | call | {' | '.join(columns)} |")
        print(f"| ---: | --- |{' ---: |' * len(columns)}")

    def call(self, trials: str, what: str, method: str, path: str, **arguments: object) -> None:
        begun = time.monotonic()
        response = self._client.request(method, path, **arguments)  # type: ignore[arg-type]
        taken = time.monotonic() - begun
        refused = "" if response.is_success else f", {response.status_code}"
        while self._is_left() and time.monotonic() < begun + LONGEST_S:
            time.sleep(0.2)
        self.line(trials, what + refused, begun, f"{taken:.2f}", f"{time.monotonic() - begun:.1f}")

    def line(self, trials: str, what: str, begun: float, taken: str, done: str) -> None:
        told = [probe.told(begun, time.monotonic()) for probe in self._probes]
        print(f"| {trials} | {what} | {taken} | {done} | {' | '.join(told)} |", flush=True)

    def _is_left(self) -> bool:
        with self._db.engine.connect() as connection:
            return bool(connection.execute(sa.text(_LEFT)).scalar_one())


def life(table: Table, trials: int) -> None:
    """A study of so many trials from its creation to its deletion."""
    many, path = f"{trials:,}", "/v1/studies/big"
    table.call(many, "create", "POST", "/v1/studies", json=definition("big", trials, priority=-1))
    table.call(many, "list", "GET", "/v1/studies?limit=5")
    table.call(many, "last page", "GET", f"{path}/trials?offset={max(0, trials - 100)}")
    table.call(many, "stop", "POST", f"{path}/stop")
    table.call(many, "delete", "DELETE", path)


def with_rows(db: Database, table: Table, rows: int) -> None:
    """The same for a study of which every run has a row: it is stopped while all wait, and deleted when all ended."""
    many, path = f"{rows:,} rows", "/v1/studies/big"
    for ends in (False, True):
        table.call(many, "create", "POST", "/v1/studies", json=definition("big", rows, priority=-1))
        with db.engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text(_ROWS), {"name": "big"})
            if ends:
                connection.execute(sa.text(_END), {"name": "big"})
        table.call(many, "list", "GET", "/v1/studies?limit=5")
        table.call(many, "last page", "GET", f"{path}/trials?offset={rows - 100}")
        if not ends:
            table.call(many, "stop", "POST", f"{path}/stop")
        table.call(f"{many}, ended" if ends else many, "delete", "DELETE", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 100_000, MOST_TRIALS])
    parser.add_argument("--rows", type=int, default=100_000, help="0 leaves these lines out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start\n"
    )
    with ExitStack() as stack:
        url, _ = stack.enter_context(started())
        address, _ = stack.enter_context(controller(url, ROOT))
        db = stack.enter_context(Database.open(url, lasting=True))
        client = stack.enter_context(httpx.Client(base_url=address, timeout=LONGEST_S))
        other = stack.enter_context(httpx.Client(base_url=address, timeout=LONGEST_S))
        client.post("/v1/studies", json=definition("other", MOST_TRIALS, priority=1)).raise_for_status()
        worker = Worker(db)
        probes = [
            Probe(
                lambda: [other.get(path).raise_for_status() for path in ("/v1/studies?limit=5", "/v1/studies/other")]
            ),
            Probe(worker.look),
        ]
        for probe in probes:
            stack.enter_context(probe)
        time.sleep(1)  # the first calls of both
        table = Table(db, client, probes)
        begun = time.monotonic()
        time.sleep(QUIET_S)
        table.line("-", "quiet", begun, "-", "-")
        for trials in options.trials:
            life(table, trials)
        if options.rows:
            with_rows(db, table, options.rows)
    print(
        "\nothers: the longest wait (95 % of them); a request is two, a claim is claimed, ended and now and then swept"
    )


if __name__ == "__main__":
    main()
