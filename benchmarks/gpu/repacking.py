"""Memory that runs out on purpose: a trial beside another on one device, tried again alone, as workers do it."""

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.gpu import own_tasks
from benchmarks.gpu.conducting import LISTEN_S, name_of, reason, reports, trained
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting
from search_spaces import TaskSpec, TrialConfig
from service.storage.assignments.progress import EpochDone
from workers.device.measurements import Measurements
from workers.device.room import Room
from workers.device.seat import Seat
from workers.trial.messages import Failed, Order, Stopped
from workers.trial.process import TrialProcess, Watch

GIB = 2**30
LIMIT = 16 * GIB  # of a CPU's trial processes, each; torch itself maps a few of them
LARGE, TOO_LARGE = 1, 2  # runs
AFTERWARDS_S = 1.0  # s after which a report is one of after the failure
PATIENCE_S = 20.0
NEIGHBOURS, LARGES = 0.5, 0.75  # of the GPU's free memory: the second fits only alone


def check(findings: Findings, setting: Setting, until: float) -> None:
    """Four statements, each from where the one before has led."""
    with Repack.of(setting, until) as repack:
        findings.check("memory that runs out beside another trial is told as such", repack.runs_out)
        findings.check("the other trial goes on unharmed", repack.neighbour_goes_on)
        findings.check("the run gets the device to itself, and the other slot its place back", repack.alone)
        findings.check("what fits nowhere fails alone, and is not tried again", repack.fits_nowhere)


class Repack:
    """Two seats in one room."""

    def __init__(self, setting: Setting, until: float) -> None:
        self._setting, self._until = setting, until
        self._threads = ThreadPoolExecutor(2)  # the kernel ends a trial process with the thread that started it
        self._room, measurements = Room(), Measurements()
        self._large, self._neighbour = (Seat(self._room, measurements, self._start) for _ in range(2))
        self._limited = setting.device.type == "cpu"
        self._sizes = {LARGE: 4 * LIMIT, TOO_LARGE: 4 * LIMIT}

    @classmethod
    @contextmanager
    def of(cls, setting: Setting, until: float) -> "Iterator[Repack]":
        """The processes are gone after the block."""
        repack = cls(setting, until)
        try:
            yield repack
        finally:
            for seat in (repack._large, repack._neighbour):
                seat.clear()
            repack._threads.shutdown(cancel_futures=True)

    def runs_out(self) -> str:
        """Both train; the large run asks for more than the neighbour has left."""
        with self._limits():
            taken = [self._threads.submit(seat.take, run) for run, seat in ((LARGE, self._large), (0, self._neighbour))]
            assert all(begun.result() for begun in taken), "two seats must find room, they did not"
        neighbours = 2**20
        if self._setting.device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self._setting.device)
            neighbours, self._sizes = int(NEIGHBOURS * free), {LARGE: int(LARGES * free), TOO_LARGE: 2 * total}
        self._neighbour.process.order(_order(0, neighbours, epochs=10_000))
        self._hear_of_neighbour(EpochDone)
        return self._failure(LARGE)

    def neighbour_goes_on(self) -> None:
        """It trains further epochs, and leaves when it is asked to."""
        process, began = self._neighbour.process, time.monotonic()
        while time.monotonic() < began + AFTERWARDS_S:  # what is heard at first was said before
            process.listen(LISTEN_S)
        self._hear_of_neighbour(EpochDone)
        process.stop(keep=False)
        self._hear_of_neighbour(Stopped)

    def alone(self) -> str:
        """The rule of `workers.device.room.Room`, with a real process in each seat."""
        large, neighbour = self._large, self._neighbour
        assert self._room.wants_solitude(LARGE), "a run that shared the room must be tried again, it is not"
        large.clear()  # a process whose memory ran out is not used again
        assert not large.take(LARGE), "the run must wait for the neighbour to leave, it did not"
        assert not neighbour.take(), "the neighbour must leave for the run, it stayed"
        with self._limits():
            begun = self._threads.submit(large.take, LARGE).result()
        assert begun, "the run must find the room empty, it did not"
        if self._setting.device.type == "cuda":
            trained(large.process, self._order_of(LARGE), self._until)
        large.end_of_run()
        assert not self._room.must_leave(neighbour), "the neighbour must be let in again, it is not"
        return "" if self._setting.device.type == "cuda" else "without a training: a CPU's limit is each process's own"

    def fits_nowhere(self) -> str:
        """More than there is, with nobody beside it."""
        told = self._failure(TOO_LARGE)
        assert not self._room.wants_solitude(TOO_LARGE), "a run that was alone must not be tried again, it is"
        return told

    def _start(self, watch: Watch) -> TrialProcess:
        return TrialProcess(name_of(self._setting.device), 1, watch=watch)

    def _failure(self, run: int) -> str:
        """Train the run's trial, which must fail for want of memory; in its own words."""
        *_, last = reports(self._large.process, self._order_of(run), self._until)
        asked = f"a trial that asks for {self._sizes[run] / GIB:.0f} GiB must fail for memory"
        assert isinstance(last, Failed), f"{asked}, it ended with {reason(last)}"
        assert last.out_of_memory, f"{asked}, it did for another reason: {last.reason}"
        return last.reason

    def _hear_of_neighbour(self, kind: type[EpochDone | Stopped]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not isinstance(report := self._neighbour.process.listen(LISTEN_S), kind):
            assert not isinstance(report, Failed), f"the neighbour must train, it failed: {report.reason}"
            assert time.monotonic() < until, f"{kind.__name__} must be heard within {PATIENCE_S:g} s, it was not"

    def _order_of(self, run: int) -> Order:
        return _order(run, self._sizes[run], epochs=1)

    @contextmanager
    def _limits(self) -> Iterator[None]:
        """Processes that start inside may have only so much memory: a CPU's machine is not to be filled."""
        if not self._limited:
            yield
            return
        usual = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, usual[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, usual)


def _order(run: int, ballast: int, epochs: int) -> Order:
    spec = TaskSpec(name=f"{own_tasks.MODULE}:Ballast", epochs=epochs, options={"seconds": 0.05})
    config = TrialConfig(extra={"ballast": ballast})
    return Order(task=spec, config=config, study_seed=1, repeats=1, data_folder=Path(), run_id=run)
