"""Processes that each train a network on one device, let go at the same time."""

import multiprocessing
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.gpu.graph_checks import step_of
from benchmarks.gpu.networks import BASELINE
from benchmarks.gpu.samples import Task, drawn
from benchmarks.gpu.stopwatch import calls_a_second

_WARM_UP = 5  # steps before a process is ready
_GRACE_S = 8.0  # beyond the time to train, for the answer


@dataclass(frozen=True)
class Trained:
    """What a process has reached."""

    steps_a_second: float
    memory: int  # bytes of its tensors at most; 0 on a CPU


class Trainers:
    """Processes started on entry and ended on exit; in between they wait for `train`."""

    def __init__(self, count: int, task: Task, device: torch.device) -> None:
        self._count, self._task, self._device = count, task, device
        self._ends: list[Connection[Any, Any]] = []
        self._undo = ExitStack()

    def __str__(self) -> str:
        return f"{self._count} processes"

    def __enter__(self) -> "Trainers":
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        with ExitStack() as started:
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_train, args=(theirs, self._task, self._device), daemon=True)
                process.start()
                started.callback(process.join)
                started.callback(process.kill)
                theirs.close()  # so that our end says when the process ends
                self._ends.append(ours)
            self._undo = started.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._undo.close()

    def wait_until_ready(self, seconds: float) -> None:
        """Raises RuntimeError where a process ends or is not ready by then."""
        self._answers(seconds)

    def train(self, seconds: float) -> Sequence[Trained]:
        """All at once, for about as many seconds."""
        for end in self._ends:
            end.send(seconds)
        return self._answers(seconds + _GRACE_S)

    def _answers(self, seconds: float) -> Sequence[Any]:
        until = time.monotonic() + seconds
        answers = []
        for number, end in enumerate(self._ends, start=1):
            if not end.poll(max(until - time.monotonic(), 0.0)):
                raise RuntimeError(f"process {number} of {self._count} has not answered in {seconds:.0f} s")
            try:
                answers.append(end.recv())
            except EOFError as gone:
                raise RuntimeError(f"process {number} of {self._count} ended: its error is above the tables") from gone
        return answers


def _train(end: "Connection[Any, Any]", task: Task, device: torch.device) -> None:
    """The inside of a process: get ready, say so, train when told, answer."""
    torch.set_num_threads(1)
    batch = drawn(task, device, count=task.batch)
    step = partial(step_of(task, BASELINE, batch, graph=False, bfloat16=False), *batch)
    for _ in range(_WARM_UP):
        step()
    end.send("ready")
    rate = calls_a_second(step, device, end.recv())
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    end.send(Trained(rate, memory))
