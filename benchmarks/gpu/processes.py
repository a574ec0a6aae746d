"""Trial processes with what they tell of their device, ended with the block that started them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch

from benchmarks.gpu.conducting import name_of
from workers.trial.devices import Reading
from workers.trial.family import descendants
from workers.trial.process import TrialProcess

MOST = 16


@dataclass
class Watched:
    """A trial process, and the readings of its device since it started."""

    process: TrialProcess = field(init=False)
    pid: int = 0  # 0 where several were started at once
    readings: list[Reading] = field(default_factory=list)

    def note(self, heard: object) -> None:
        """Keep it if it is a reading."""
        if isinstance(heard, Reading):
            self.readings.append(heard)


class Processes:
    """All trial processes of this part."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.threads = ThreadPoolExecutor(MOST)  # the kernel ends a trial process with the thread that started it
        self._undo = ExitStack()

    @classmethod
    @contextmanager
    def on(cls, device: torch.device) -> "Iterator[Processes]":
        """Start processes inside the block."""
        processes = cls(device)
        try:
            yield processes
        finally:
            processes.end()
            processes.threads.shutdown(cancel_futures=True)

    def alone(self) -> Watched:
        """Start one; its `pid` is that of the process in which it trains built-in tasks."""
        watched = self.threads.submit(self._start).result()
        [watched.pid] = descendants(watched.process._keeper or 0)
        return watched

    def at_once(self, count: int) -> list[Watched]:
        """Start so many."""
        return [begun.result() for begun in [self.threads.submit(self._start) for _ in range(count)]]

    def end(self) -> None:
        """End all that run."""
        self._undo.close()

    def _start(self) -> Watched:
        watched = Watched()
        watched.process = TrialProcess(name_of(self._device), 1, watch=watched.note)
        self._undo.callback(watched.process.kill)
        return watched
