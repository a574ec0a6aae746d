"""What a trial process holds: its own estimate beside the truth, which is the driver's or the kernel's."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu import driver
from benchmarks.gpu.conducting import trained
from benchmarks.gpu.findings import Findings, NotHere
from benchmarks.gpu.processes import Processes, Watched
from benchmarks.gpu.setting import Setting
from workers.trial.devices import CONTEXT
from workers.trial.keeper import is_built_in
from workers.trial.messages import Order

TABLE = "Memory of a trial process"
MIB = 2**20
CLOSE = 0.1  # of what a process on a CPU holds: it goes on while it is looked at


def measure(
    findings: Findings, setting: Setting, processes: Processes, orders: Mapping[str, Order], until: float
) -> Watched:
    """Start a process while nothing else begins, have it train each of the trials, and compare; returns it."""
    free = _free(setting.device)
    started = time.monotonic()
    watched = processes.alone()
    findings.figure(TABLE, "idle", "up after", time.monotonic() - started, "s")
    comparison = Comparison(findings, setting, watched, free)
    findings.figure(TABLE, "idle", "held in truth", comparison.truth() / MIB, "MiB")
    for name, order in orders.items():
        check = partial(comparison.of_trial, name, order, until)
        findings.check(f"the estimate of what a process holds after {name} is not below the truth", check)
    findings.check("the estimate is not below the driver's figure for the process", comparison.of_driver)
    return watched


class Comparison:
    """One process's estimates and what it holds in truth; `free` were free on its GPU before it started."""

    def __init__(self, findings: Findings, setting: Setting, watched: Watched, free: int) -> None:
        self._findings, self._setting, self._watched, self._free = findings, setting, watched, free

    def truth(self) -> int:
        """Bytes; on a GPU all that has gone since the process started."""
        if self._setting.device.type == "cuda":
            return self._free - _free(self._setting.device)
        return _resident(self._watched.pid)

    def of_trial(self, name: str, order: Order, until: float) -> None:
        """Train it; raises where the last reading, which came with the trial's end, says less than there is."""
        if self._setting.device.type == "cpu" and not is_built_in(order):
            raise NotHere("on a CPU the process of an own task's trial ends with it, before it can be looked at")
        self._watched.readings.clear()
        trained(self._watched.process, order, until)
        truth, reading = self.truth(), self._watched.readings[-1]
        columns = {"estimated": reading.held, "estimated peak": reading.peak, "held in truth": truth}
        if self._setting.device.type == "cuda":
            columns |= {"outside torch in truth": truth - (reading.held - CONTEXT), "outside torch estimated": CONTEXT}
        for column, number in columns.items():
            self._findings.figure(TABLE, name, column, number / MIB, "MiB")
        _judge(reading.held, truth if self._setting.device.type == "cuda" else truth * (1 - CLOSE))

    def of_driver(self) -> str:
        """Raises where the last reading says less than the driver does of the process's number."""
        if self._setting.device.type != "cuda":
            raise NotHere("the device is the CPU: run the part without --cpu where there is a GPU")
        told, reading = driver.held_by(self._watched.pid), self._watched.readings[-1]
        if told is None:
            raise NotHere("the driver tells nothing of this process's number: run outside containers to see it")
        self._findings.figure(TABLE, "at the end", "by the driver, for this process", told / MIB, "MiB")
        self._findings.figure(TABLE, "at the end", "estimated", reading.held / MIB, "MiB")
        self._findings.figure(TABLE, "at the end", "held in truth", self.truth() / MIB, "MiB")
        _judge(reading.held, told)
        return f"{told / MIB:.0f} MiB"


def _judge(estimated: int, truth: float) -> None:
    assert estimated >= truth, (
        f"the estimate must not be below what the process holds, it is {estimated / MIB:.0f} of {truth / MIB:.0f} MiB: "
        "raise workers.trial.devices.CONTEXT by the difference"
    )


def _free(device: torch.device) -> int:
    """Bytes of a GPU that nobody holds."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def _resident(pid: int) -> int:
    """Bytes of main memory that the process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(kilobytes) * 1024
