"""Worker processes, and somebody who starts them again when they end, as compose does."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.background import Background

ROOT = Path(__file__).parents[2]
AGAIN_S = 1.0  # between a worker's end and its replacement
LOOK_S = 0.2
LEAVE_S = 60.0  # for a worker to leave in order, on a busy machine


@dataclass(frozen=True)
class Place:
    """What one worker after the other in the same place is started with."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True)
class Exit:
    """How a worker ended: `meant` if we had killed or told it, or the fleet was done."""

    place: int
    code: int
    meant: bool
    last_words: str


class Fleet(Background):
    """Keeps one worker in every place until the end of the block. `ends` says that a worker may leave for good."""

    def __init__(self, places: Sequence[Place], *, ends: Callable[[int], bool] = lambda code: False) -> None:
        super().__init__(LOOK_S)
        self._places, self._ends = places, ends
        self._lock = threading.Lock()
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * len(places)
        self._hit: set[int] = set()
        self._again_at = [0.0] * len(places)
        self.exits: list[Exit] = []
        self.left: set[int] = set()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for worker in self._workers:
            if worker is not None:
                for process in _family(worker.pid):
                    _signal(process, signal.SIGKILL)
                worker.wait()

    def pid(self, place: int) -> int | None:
        """The worker's process, if it lives."""
        worker = self._workers[place]
        return None if worker is None or worker.poll() is not None else worker.pid

    def pids(self, place: int) -> set[int]:
        """The worker's process and all below it."""
        return {process.pid for process in _family(self.pid(place))}

    def kill(self, place: int) -> None:
        self._send(place, signal.SIGKILL)

    def drain(self, place: int) -> None:
        self._send(place, signal.SIGTERM)

    def kill_trial(self, place: int) -> None:
        """Kill one of the processes that train below the worker, which have none below them; without one, itself."""
        trials = [child for child in _family(self.pid(place))[1:] if _trains(child)]
        for trial in trials:
            _signal(trial, signal.SIGKILL)
        if not trials:
            self.kill(place)

    def freeze(self, place: int, seconds: float) -> None:
        """Stop the worker and its trial process for `seconds`."""
        family = _family(self.pid(place))
        try:
            for process in family:
                _signal(process, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            for process in family:
                _signal(process, signal.SIGCONT)

    def dismiss(self) -> list[int]:
        """Tell every worker to leave and return their exit codes."""
        self.end()
        living = [worker for worker in self._workers if worker is not None and worker.poll() is None]
        for worker in living:
            worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + LEAVE_S
        return [worker.wait(max(1.0, deadline - time.monotonic())) for worker in living]

    def _send(self, place: int, number: signal.Signals) -> None:
        with self._lock:
            pid = self.pid(place)
            if pid is not None:
                self._hit.add(pid)
                os.kill(pid, number)

    def turn(self) -> None:
        for number in range(len(self._places)):
            with self._lock:
                self._tend(number)

    def _tend(self, number: int) -> None:
        worker = self._workers[number]
        if worker is not None and (code := worker.poll()) is not None:
            self._workers[number] = None
            self._again_at[number] = time.monotonic() + AGAIN_S
            meant = worker.pid in self._hit
            self.exits.append(Exit(number, code, meant, "" if meant else self._last_words(number)))
            if not meant and self._ends(code):
                self.left.add(number)
        if self._workers[number] is None and number not in self.left and time.monotonic() >= self._again_at[number]:
            place = self._places[number]
            with place.log.open("ab") as log:
                self._workers[number] = subprocess.Popen(
                    place.command,
                    env=place.environment,
                    cwd=ROOT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches the test, which ends them
                )

    def _last_words(self, number: int) -> str:
        lines = self._places[number].log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def _family(pid: int | None) -> list[psutil.Process]:
    """A process and all below it."""
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _trains(process: psutil.Process) -> bool:
    """Whether none is below it, as the ones that only watch have."""
    try:
        return not process.children()
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
