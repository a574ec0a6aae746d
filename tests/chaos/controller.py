"""A real controller over HTTP, and somebody who goes on submitting studies whatever happens to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.api.models import StudyOut
from service.client import Client, Refused, Unreachable
from service.ports import LOOPBACK, any_free
from tests.chaos.background import Background
from tests.chaos.fleet import ROOT
from tests.chaos.own_loop import OWN

PAUSE_S = 0.5
READY_S = 600.0  # on a busy machine, while the database may be away as well
CONFLICT = 409


class Controller:
    """`pernodedrop controller` on a free port."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._environment = {**os.environ, "DATABASE_URL": database_url, "PERNODEDROP_HOME": str(folder)}
        self._log = folder / "controller.log"
        self.port = any_free()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self, seconds: float) -> None:
        """Kill it, start it again after `seconds`, and wait until it answers."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        time.sleep(seconds)
        self._process = self._start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.ready():
            assert time.monotonic() < deadline, f"the controller is not ready after {READY_S:g} s: see {self._log}"
            time.sleep(0.1)

    def ready(self) -> bool:
        with Client(self.url, timeout=2) as client:
            return client.lack() is None

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.chaos.controlling", "controller", "--port", str(self.port)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, env=self._environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


def submit(url: str, definition: dict[str, Any]) -> None:
    """Submit a study over HTTP, however long the controller or its database is away."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with Client(url, timeout=10) as client:
                client.submit(definition)
        except Unreachable:
            assert time.monotonic() < deadline, f"{definition['name']} cannot be submitted"
            time.sleep(PAUSE_S)
            continue
        except Refused as refusal:
            if refusal.status != CONFLICT:  # the answer to an earlier try was lost
                raise
        return


class Customer(Background):
    """Keeps about `ahead` runs open by submitting one study after another over HTTP.

    Own loops are a matter of their own: one customer sees their studies alone, the other all but those.
    """

    def __init__(self, url: str, studies: Iterator[dict[str, Any]], ahead: int, *, own: bool = False) -> None:
        super().__init__(PAUSE_S)
        self._url, self._studies, self._ahead, self._own = url, studies, ahead, own
        self._next = next(studies)
        self.submitted: list[str] = []
        self.surprises: list[str] = []

    def open_runs(self) -> int:
        """How many runs have not ended of those that the unfinished studies have so far.

        Raises:
            Unreachable: the controller, or its database, is away.
        """
        counts = [counts for study in self._unfinished() for counts in (study.counts, study.confirmation)]
        return sum(of_stage.waiting + of_stage.running for of_stage in counts)

    def is_served(self) -> bool:
        """Whether every study is complete; one whose search has ended may still have its confirmation before it.

        Raises:
            Unreachable: as `open_runs`.
        """
        return not self._unfinished()

    def turn(self) -> None:
        """Submit the next study if too little is open."""
        try:
            if self.open_runs() >= self._ahead:
                return
            with Client(self._url, timeout=10) as client:
                client.submit(self._next)
        except Unreachable:
            return
        except Refused as refusal:
            if refusal.status != CONFLICT:  # the answer to an earlier try was lost
                self.surprises.append(f"{self._next['name']}: {refusal.status} {refusal}")
                return
        self.submitted.append(self._next["name"])
        self._next = next(self._studies)

    def _unfinished(self) -> list[StudyOut]:
        with Client(self._url, timeout=10) as client:
            return [
                study
                for study in client.studies()
                if study.state in ("running", "paused") and study.name.startswith(OWN) is self._own
            ]
