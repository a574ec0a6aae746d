"""The trial process: takes orders from its agent, trains, and says what happened.

A process of its own so that an out-of-memory kill or a segfault ends one trial, never the worker. It serves
trial after trial while it is healthy: importing torch and loading the data are paid once.
"""

import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from workers.messages import Failed, Order, Ready, Stop

if TYPE_CHECKING:
    import torch

AGENT_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(pipe: Connection, device: str, threads: int) -> None:
    """Serve orders until the agent closes the pipe. `device` is auto, cpu or cuda:N."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both may reach the whole group; the agent decides
        signal.signal(number, signal.SIG_IGN)
    _die_with_the_agent()
    # Huge pages for torch's allocations: an epoch of rcv1, whose first layer has 48 million weights, took a third.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        chosen = _prepare(device, threads)
        pipe.send(Ready(chosen))
        while True:
            order = pipe.recv()
            if isinstance(order, Order):  # a Stop that crossed the end of its trial is stale
                _serve(pipe, order, chosen)
    except AGENT_GONE:
        os._exit(0)  # the agent is gone: nobody is left to train for


def _die_with_the_agent() -> None:
    """Ask the kernel for SIGKILL when the agent dies, so that a long epoch does not hold the device for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepare(device: str, threads: int) -> str:
    import torch

    torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    _warm_up(torch.device(device))
    return device


def _warm_up(device: "torch.device") -> None:
    """Pay for what the first step costs before a run is leased: the optimizer alone imports for a second."""
    import torch

    import workers.trial  # noqa: F401

    weight = torch.nn.Parameter(torch.ones(1, device=device))
    torch.autograd.backward(weight.square().sum())
    torch.optim.Adam([weight], fused=True).step()


def _serve(pipe: Connection, order: Order, device: str) -> None:
    import torch

    from workers.trial import train

    def stop_wanted() -> Stop | None:
        message = pipe.recv() if pipe.poll() else None
        return message if isinstance(message, Stop) else None

    try:
        for report in train(order, torch.device(device), stop_wanted):
            pipe.send(report)
    except AGENT_GONE:
        raise
    except Exception as error:
        pipe.send(Failed(_reason(error), traceback.format_exc(), _is_out_of_memory(error)))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError)
