"""The trial process: takes orders from its agent, trains, and reports.

It is a separate process, so that an out-of-memory kill or a segfault ends one trial, never the worker. It serves
trial after trial while it is healthy, so that it imports torch and loads the data once.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from workers.trial.devices import Device, OpenDevice
from workers.trial.messages import EpochDone, Failed, Order, Ready, Stop, Unready
from workers.trial.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

AGENT_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
READ_S = 1.0  # s, the least time between two readings of the device


def main(pipe: Connection, device: str, threads: int, open_device: OpenDevice) -> None:
    """Serve orders until the agent closes the pipe. `device` is cpu, cuda:N or auto:N, the N-th GPU if torch can
    use one, else the CPU."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both may reach the whole process group; the agent decides
        signal.signal(number, signal.SIG_IGN)
    _die_with_the_agent()
    _go_first_when_memory_runs_out()
    # Huge pages for torch's allocations: an epoch of rcv1, whose first layer has 48 million weights, took a third.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        try:
            chosen = _prepare(device, threads)
            opened = open_device(chosen)
        except Exception as error:
            pipe.send(Unready(_reason(error), is_out_of_memory(error)))
            raise
        pipe.send(Ready(str(chosen)))
        while True:
            order = pipe.recv()
            if isinstance(order, Order):  # a Stop that arrives after the end of its trial is stale
                _serve(pipe, order, chosen, opened)
    except AGENT_GONE:
        os._exit(0)  # the agent is gone


def _die_with_the_agent() -> None:
    """Ask the kernel for SIGKILL when the agent dies, so that a long epoch does not keep holding the device."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _go_first_when_memory_runs_out() -> None:
    """Let the kernel end a trial rather than its agent, or the database beside it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _prepare(name: str, threads: int) -> "torch.device":
    import torch

    torch.set_num_threads(threads)
    kind, _, ordinal = name.partition(":")
    if kind == "auto":
        name = f"cuda:{ordinal or 0}" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    _warm_up(device)
    return device


def _warm_up(device: "torch.device") -> None:
    """Pay the cost of the first step before a run is leased: importing the optimizer alone takes a second."""
    import torch

    import workers.trial.orders  # noqa: F401

    weight = torch.nn.Parameter(torch.ones(1, device=device))
    torch.autograd.backward(weight.square().sum())
    torch.optim.Adam([weight], fused=True).step()


def _serve(pipe: Connection, order: Order, device: "torch.device", opened: Device) -> None:
    from workers.trial.orders import train

    def stop_wanted() -> Stop | None:
        message = pipe.recv() if pipe.poll() else None
        return message if isinstance(message, Stop) else None

    read_at = time.monotonic()
    try:
        opened.begin()
        for report in train(order, device, stop_wanted):
            # Before the report: the agent stops listening after a trial's last one.
            if time.monotonic() >= read_at or not isinstance(report, EpochDone):
                pipe.send(opened.read())
                read_at = time.monotonic() + READ_S
            pipe.send(report)
    except AGENT_GONE:
        raise
    except Exception as error:
        pipe.send(Failed(_reason(error), traceback.format_exc(), is_out_of_memory(error)))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__
