"""The tables of the ways to train many networks on one device."""

from collections.abc import Callable

import torch

from benchmarks.gpu.batched import BatchedStep
from benchmarks.gpu.findings import Findings, NotHere
from benchmarks.gpu.graph_checks import step_of
from benchmarks.gpu.networks import BASELINE, DROP_RATE
from benchmarks.gpu.recording import need_gpu
from benchmarks.gpu.samples import Samples, Task
from benchmarks.gpu.steps import RecordedStep, Step
from benchmarks.gpu.stopwatch import calls_a_second, finish, seconds_of
from benchmarks.gpu.trainers import Trainers

RATES, GAINS, MEMORY = "Samples a second of all networks", "Speed-up by one batched model", "Memory of the tensors"
_KEPT_S = 3.0  # for the part's end
_CALLS = 8  # steps that a recording and its timing take


def optional(call: Callable[[], object]) -> None:
    """Raises NotHere where the call fails: a way to train that is out of reach here proves nothing wrong."""
    try:
        call()
    except NotHere:
        raise
    except Exception as error:
        raise NotHere(f"{type(error).__name__}: {error}") from error


class Comparison:
    """Every way trains on the same batch, and is timed for about `seconds`."""

    def __init__(self, findings: Findings, task: Task, batch: Samples, seconds: float) -> None:
        self._findings, self._task, self._batch, self._seconds = findings, task, batch, seconds
        self._device = batch.x.device
        self._others: dict[str, tuple[float, int]] = {}  # samples a second and bytes, for any number of networks

    def in_turn(self, name: str, *, graph: bool) -> None:
        """Networks one after another."""
        if graph:
            need_gpu(self._device)
        _forget_peak(self._device)
        step = step_of(self._task, BASELINE, self._batch, graph=graph, bfloat16=False)
        self._others[name] = self._task.batch * self._steps_a_second(step), _peak(self._device)

    def processes(self, name: str, trainers: Trainers) -> None:
        """Networks by processes beside each other, each taking one after another."""
        trained = trainers.train(2.0 * self._seconds)
        rate = self._task.batch * sum(training.steps_a_second for training in trained)
        self._others[name] = rate, sum(training.memory for training in trained)

    def batched(self, count: int) -> None:
        """Networks as one model, run operation by operation and then recorded, beside the other ways."""
        for name, other in self._others.items():
            self._write(count, name, *other)
        _forget_peak(self._device)
        networks = [self._task.network(seed).to(self._device) for seed in range(count)]
        drop_rates = torch.full((count,), DROP_RATE, device=self._device)
        step = BatchedStep(networks, drop_rates, torch.logspace(-4, -2, count, device=self._device))

        def eager() -> None:
            try:
                self._time_batched(count, "batched", step)
            except torch.OutOfMemoryError as error:
                raise NotHere(f"too large for this device: {error}") from error

        def recorded() -> None:
            need_gpu(self._device)
            needed = _CALLS * seconds_of(lambda: step(*self._batch), self._device) + self._seconds + _KEPT_S
            if needed > self._findings.seconds_left:
                raise NotHere(f"takes {needed:.0f} s, and {self._findings.seconds_left:.0f} s are left")
            self._time_batched(count, "batched, graph", RecordedStep(step, *self._batch))

        if self._findings.check(f"{count} networks train as one", eager):
            self._findings.check(f"{count} networks as one: recorded as a CUDA graph", lambda: optional(recorded))

    def _time_batched(self, count: int, column: str, step: Step) -> None:
        rate = count * self._task.batch * self._steps_a_second(step)
        self._write(count, column, rate, _peak(self._device))
        for name, (other, _) in self._others.items():
            self._findings.figure(GAINS, f"{count} networks", f"{column}, over {name}", rate / other)

    def _steps_a_second(self, step: Step) -> float:
        return calls_a_second(lambda: step(*self._batch), self._device, self._seconds)

    def _write(self, count: int, column: str, rate: float, memory: int) -> None:
        self._findings.figure(RATES, f"{count} networks", column, rate)
        if memory:
            self._findings.figure(MEMORY, f"{count} networks", column, memory / 2**30, "GiB")


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        finish(device)
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> int:
    """Bytes of tensors at most since it was forgotten; 0 on a CPU, where torch does not count them."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
