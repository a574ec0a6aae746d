"""Memory that runs out beside another trial: one trial fails, the other goes on, and alone it fits."""

import resource
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.gpu.conducting import reports, trained
from benchmarks.gpu.findings import Findings, NotHere
from benchmarks.gpu.processes import Processes, Watched
from benchmarks.gpu.setting import Setting
from search_spaces import TaskSpec, TrialConfig
from workers.messages import EpochDone, Failed, Order, Report
from workers.room import Room

SHARE = 0.55  # of the free memory for each of two trials
SPACE = 16 * 2**30  # bytes of addresses that a process on a CPU may have
HELD_S = 0.5  # an epoch lasts


def check(findings: Findings, setting: Setting, until: float) -> None:
    """Two processes, each with a trial that leaves too little for the other's."""
    with _limited(setting), Processes.on(setting.device) as processes:
        findings.check(
            "out of memory on purpose: the trial fails, the process beside it is unharmed, alone the trial fits",
            lambda: _crowd(setting, processes, until),
        )


def _crowd(setting: Setting, processes: Processes, until: float) -> str:
    first, second = processes.at_once(2)
    large, small = _sizes(setting.device)
    holds = threading.Event()
    beside = processes.threads.submit(_hold, first, small, holds, until)
    while not holds.wait(0.1):
        if beside.done():
            beside.result()  # raises what kept it from holding memory
            raise AssertionError("the first trial ended before the second began")
    failed = _last(second, _order(large, epochs=1), until)
    assert isinstance(failed, Failed), f"a trial of {large:,} bytes must fail, it ended with {failed}"
    assert failed.out_of_memory, f"the failure must be told as one of memory, it was {failed.reason}"
    return f"{failed.reason[:120]}; {_alone(setting, processes, beside, large, until)}"


def _hold(watched: Watched, size: int, holds: threading.Event, until: float) -> int:
    """Train the trial that stays; the epochs that it got to."""
    done = 0
    for report in reports(watched.process, _order(size, epochs=8), until):
        assert not isinstance(report, Failed), f"the trial beside must not be harmed: {report.reason}"
        done += isinstance(report, EpochDone)
        holds.set()
    return done


def _alone(setting: Setting, processes: Processes, beside: "Future[int]", large: int, until: float) -> str:
    """By the room's rule: the trial is tried again when the other slot has left with its process."""
    room = Room()
    assert room.enter("stays") and room.enter("fails", 1)
    assert room.repack(1), "a trial that shared the device must be tried again alone"
    assert not room.enter("fails", 1), "it must wait until the other has left"
    assert room.must_leave("stays"), "the other slot must leave"
    epochs = beside.result()
    assert epochs == 8, f"the trial beside must train all its 8 epochs, it trained {epochs}"
    if setting.device.type != "cuda":
        return "a CPU's limit is each process's own, so it does not fit alone either"
    room.leave("stays")
    assert room.enter("fails", 1), "it must have the device when it is alone there"
    processes.end()
    trained(processes.alone().process, _order(large, epochs=1), until)
    return "alone it was trained"


def _sizes(device: torch.device) -> tuple[int, int]:
    """Bytes of the trial that is to fail, and of the one that stays."""
    if device.type != "cuda":
        return 2 * SPACE, 2**20
    torch.cuda.empty_cache()
    half = int(SHARE * torch.cuda.mem_get_info(device)[0])
    return half, half


def _order(size: int, epochs: int) -> Order:
    spec = TaskSpec(name="benchmarks.gpu.own_tasks:Ballast", epochs=epochs, options={"seconds": HELD_S})
    config = TrialConfig(extra={"ballast": size})
    return Order(task=spec, config=config, study_seed=7, repeats=1, data_folder=Path())


def _last(watched: Watched, order: Order, until: float) -> Report:
    *_, last = reports(watched.process, order, until)
    return last


@contextmanager
def _limited(setting: Setting) -> Iterator[None]:
    """On a CPU the processes started inside may have so many addresses; a GPU has its own end."""
    if setting.device.type == "cuda":
        yield
        return
    usual = resource.getrlimit(resource.RLIMIT_AS)
    if usual[1] not in (resource.RLIM_INFINITY, -1) and usual[1] < SPACE:
        raise NotHere(f"addresses are limited to {usual[1]:,} bytes here already")
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)
