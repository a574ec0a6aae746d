"""Stores a home of the release that is checked out: `python -m tests.homes.store OUT.sql.xz`, in a minute or two.

It is for the last commit that has a schema; `stored` says what the studies are.
"""

import contextlib
import lzma
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from service.client import Client
from service.storage.database.database import Database
from tests.chaos.controller import Controller
from tests.chaos.database import Server
from tests.chaos.fleet import ROOT
from tests.chaos.ground import ground

WORKERS = 4
LONG_S = 120.0
PACED: dict[str, Any] = {"name": "tests.chaos.tasks:PacedDigits", "train_size": 100, "options": {"pause": 0.4}}
RATE = {"drop_rate": {"type": "float", "low": 0.0, "high": 0.5}}
KINDS = {**RATE, "regularizer": {"type": "categorical", "choices": ["none", "dropout"]}}
RANDOM = {"sampler": {"name": "random"}, "budget": {"trials": 3}}
LONG: dict[str, Any] = {"task": {**PACED, "epochs": 200}, "search_space": RATE, **RANDOM}
SHORT: dict[str, Any] = {"task": {"name": "digits", "epochs": 3}, "search_space": KINDS, **RANDOM}
OWN: dict[str, Any] = {"task": {"name": "external", "epochs": 3}, "search_space": RATE, **RANDOM}
MISSING: dict[str, Any] = {"task": {"name": "no_such.module:Task", "epochs": 3}, "search_space": RATE, **RANDOM}


def main(out: Path) -> None:
    with ground() as folder, Server(folder / "postgres") as server, Controller(server.url, folder) as controller:
        controller.wait_until_ready()
        with Client(controller.url, timeout=30) as client, Database.open(server.url) as db:
            home = Home(client, db, folder)
            with home.workers():
                home.of_the_past()
                home.in_training()
            home.of_later()
        out.write_bytes(lzma.compress(dumped(folder, server).encode(), preset=9 | lzma.PRESET_EXTREME))


class Home:
    def __init__(self, client: Client, db: Database, folder: Path) -> None:
        self._client, self._db, self._folder = client, db, folder
        self._running: list[subprocess.Popen[bytes]] = []

    def submit(self, name: str, definition: dict[str, Any], **changes: Any) -> None:
        self._client.submit({**definition, "name": name, **changes})

    @contextlib.contextmanager
    def workers(self) -> Iterator[None]:
        self._start()
        try:
            yield
        finally:
            self._end(signal.SIGKILL)

    def of_the_past(self) -> None:
        """Studies that have ended."""
        again = {"top": 1, "repeats": 2}
        pruner = {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 1}
        self.submit("complete", SHORT, confirmation=again, pruner=pruner, budget={"trials": 5}, keep="best")
        decided = {"top": 1, "repeats": 2, "until": "decided", "most_repeats": 3}
        space = {"regularizer": KINDS["regularizer"]}
        grid = {"sampler": {"name": "grid"}, "budget": {}, "search_space": space, "fixed": {"drop_rate": 0.2}}
        self.submit("decided", SHORT, confirmation=decided, **grid)
        objectives = [{"metric": "val_loss"}, {"metric": "val_brier"}]
        self.submit("pareto", SHORT, objectives=objectives)
        self.submit("failed", MISSING, budget={"trials": 2}, retries=0)
        self.submit("stopped", LONG)
        self._wait(lambda: self._has("stopped", "running"), "stopped")
        self._client.change("stopped", "stop")
        self.submit("own-complete", OWN)
        self._asked("own-complete", epochs=3, runs=3)
        self.submit("own-failed", OWN, budget={"trials": 2})
        self._asked("own-failed", epochs=1, runs=2, state="failed")
        ended = ("complete", "decided", "pareto", "failed", "own-complete", "own-failed")
        self._wait(lambda: all(self._client.study(name).state in ("complete", "failed") for name in ended), ended)

    def in_training(self) -> None:
        """Studies whose workers are killed in training."""
        self.submit("handed-back", LONG, budget={"trials": 1})
        self.submit("killed", LONG, budget={"trials": 2})
        self._wait(lambda: self._has("killed", "running") and self._has("handed-back", "running"), "killed")
        time.sleep(2)
        self._end(signal.SIGTERM)
        self._client.change("handed-back", "pause")
        self._start()
        self._wait(lambda: self._tokens("killed") >= 2, "killed")
        confirmation = {"top": 1, "repeats": 100}
        self.submit("confirming", LONG, task={**PACED, "epochs": 2}, budget={"trials": 2}, confirmation=confirmation)
        self._wait(lambda: self._client.study("confirming").confirmation.running > 0, "confirming")
        self.submit("killed-anew", LONG)
        self._wait(lambda: self._has("killed-anew", "running"), "killed-anew")
        self.submit("own-killed", OWN, task={"name": "external", "epochs": 50}, repeats=2)
        self._asked("own-killed", epochs=3, runs=1, state=None)
        time.sleep(4)  # some epochs and logs

    def of_later(self) -> None:
        """Studies that nobody trains."""
        self.submit("waiting", SHORT)
        self.submit("paused", SHORT)
        self._client.change("paused", "pause")
        self.submit("own-alike", OWN, budget={"trials": 6})
        self._asked("own-alike", epochs=0, runs=3, state="failed")
        self.submit("own-retried", OWN, budget={"trials": 2})
        self._asked("own-retried", epochs=1, runs=2, state="failed")
        self._order("own-retried", "POST", "/retry", {})
        self._order("waiting", "PATCH", "", {"tags": ["first", "second"], "note": "What <b>people</b> say."})

    def _order(self, name: str, method: str, what: str, body: Any) -> None:
        """Give an order that this release may not know."""
        answer = httpx.request(method, f"{self._client.url}/v1/studies/{name}{what}", json=body)
        print(method, name, what, answer.status_code)

    def _asked(self, name: str, epochs: int, runs: int, state: str | None = "complete") -> None:
        """Train so many runs by an own loop, and end each so; None: it falls silent."""
        with httpx.Client(base_url=f"{self._client.url}/v1/", timeout=30) as api:
            worker = None
            for _ in range(runs):
                asked = {"holder": "host:1"} if worker is None else {"holder": "host:1", "worker": worker}
                order = api.post(f"studies/{name}/ask", json=asked).raise_for_status().json()
                worker, lease = order["worker"], {"token": order["token"], "claim": order["claim"]}
                for epoch in range(1, epochs + 1):
                    loss = order["params"]["drop_rate"] + 1 / epoch
                    said = {**lease, "repeat": 0, "epoch": epoch, "metrics": {"val_loss": loss}}
                    api.post(f"runs/{order['run']}/report", json=said).raise_for_status()
                if state is not None:
                    end = {**lease, "state": state, "reason": None if state == "complete" else "no data in /data"}
                    api.post(f"runs/{order['run']}/tell", json=end).raise_for_status()

    def _start(self) -> None:
        command = [sys.executable, "-m", "workers", "--device", "cpu", "--poll", "0.2", "--checkpoint-every", "1"]
        environment = {**os.environ, "DATABASE_URL": self._db.url, "PERNODEDROP_HOME": str(self._folder)}
        for _ in range(WORKERS):
            self._running.append(subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True))

    def _end(self, number: signal.Signals) -> None:
        for worker in self._running:
            if number is signal.SIGKILL:
                os.killpg(worker.pid, number)
            else:
                worker.send_signal(number)
        for worker in self._running:
            worker.wait(LONG_S)
        self._running.clear()

    def _has(self, name: str, state: str) -> bool:
        return getattr(self._client.study(name).counts, state) > 0

    def _tokens(self, name: str) -> int:
        most = "SELECT coalesce(max(r.token), 0) FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id"
        running = f"{most} WHERE s.name = :name AND r.state = 'running' AND r.epoch > 0"
        with self._db.engine.connect() as connection:
            return int(connection.execute(sa.text(running), {"name": name}).scalar_one())

    def _wait(self, is_done: Callable[[], bool], what: object) -> None:
        deadline = time.monotonic() + LONG_S
        while not is_done():
            assert time.monotonic() < deadline, f"{what} does not come"
            time.sleep(0.2)


def dumped(folder: Path, server: Server) -> str:
    """The database as statements that an empty one takes."""
    file = folder / "dump.sql"
    options = ("--inserts", "--rows-per-insert=1000", "--no-owner", "--no-privileges")
    server.run("pg_dump", *options, "--file", str(file))
    return re.sub(r"(?m)^(--.*|\\(un)?restrict .*|)\n", "", file.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
