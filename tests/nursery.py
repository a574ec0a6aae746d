"""One process that has loaded torch, from which the trials of a test process's workers are forked.

`pernodedrop serve` starts its workers so. A worker that is started alone loads torch for itself, which takes seconds.
"""

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pernodedrop.begin import command
from workers.trial.nursery import SHARED

LINES = 64  # workers that one such process serves in its life

ROOT = Path(__file__).parents[1]


class SharedNursery:
    """Starts workers, each with a line to the process that they share; `environment` is the trials'."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
        self._environment = {**environment, "PYTHONPATH": path}
        self._lines: list[socket.socket] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, program: list[str], environment: Mapping[str, str], **streams: int) -> subprocess.Popen[bytes]:
        """Start a worker by this command line; `environment` is the worker's own, `streams` are Popen's."""
        if not self._lines:
            self._begin()
        with self._lines.pop() as line:
            number = line.fileno()
            environment = {**environment, SHARED: str(number)}
            return subprocess.Popen(program, cwd=ROOT, env=environment, pass_fds=[number], **streams)

    def _begin(self) -> None:
        pairs = [socket.socketpair() for _ in range(LINES)]
        theirs = [end.fileno() for _, end in pairs]
        program = command("workers.trial.shared", *map(str, theirs))
        begun = subprocess.Popen(
            program, cwd=ROOT, env=self._environment, pass_fds=theirs, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._processes.append(begun)
        for ours, end in pairs:
            end.close()
            self._lines.append(ours)

    def close(self) -> None:
        """End the processes, once the workers have ended."""
        for line in self._lines:
            line.close()
        for process in self._processes:
            process.wait(60)
