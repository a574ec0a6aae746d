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

from workers.messages import EpochDone, Failed, Finished, Order, Ready, Report, Started, Stop, Stopped

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(pipe: Connection, device: str, threads: int) -> None:
    """Serve orders until the agent closes the pipe. `device` is auto, cpu or cuda:N."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the agent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_the_agent()
    try:
        chosen = _prepare(device, threads)
        pipe.send(Ready(chosen))
        while True:
            order = pipe.recv()
            if isinstance(order, Order):  # a Stop that crossed the end of its trial is stale
                pipe.send(_serve(pipe, order, chosen))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the agent is gone: nobody is left to train for


def _die_with_the_agent() -> None:
    """Ask the kernel for SIGKILL when the agent dies, so that a long epoch does not hold the device for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepare(device: str, threads: int) -> str:
    import torch

    torch.set_num_threads(threads)
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return str(torch.device(device))


def _serve(pipe: Connection, order: Order, device: str) -> Report:
    try:
        return _train(pipe, order, device)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        return Failed(_reason(error), traceback.format_exc(), _is_out_of_memory(error))


def _train(pipe: Connection, order: Order, device: str) -> Report:
    import torch

    from workers.seeds import repeat_seed
    from workers.tasks import load_task
    from workers.training import Training

    task = load_task(order.task, order.data_folder)
    for repeat in range(order.repeats):
        seed = repeat_seed(order.study_seed, repeat)
        training = Training(task, order.config, epochs=order.task.epochs, seed=seed, device=torch.device(device))
        if repeat == 0:
            pipe.send(Started(training.facts))
        for epoch in training.epochs():
            pipe.send(EpochDone(repeat, epoch.number, epoch.metrics))
            if pipe.poll() and isinstance(pipe.recv(), Stop):
                return Stopped()
    return Finished()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError)
