"""What a slot's processes do: the host trains one order after another, a template has each trained by a fork of itself.

All of them run below a keeper (`workers.trial.keeper`), which passes orders on and notices how they end.
"""

import contextlib
import gc
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, NoReturn, Self

from service.storage.assignments.progress import EpochDone
from workers.tasks.sources import Stamps, stamp_of
from workers.trial import family
from workers.trial.channel import Channel, ChannelClosed, taken_over
from workers.trial.devices import Cpu, Device, Reading
from workers.trial.messages import Failed, GoOn, Order, Report, Setup, Stop, packed, unpacked
from workers.trial.out_of_memory import is_out_of_memory
from workers.trial.output import Borrowed, flush

if TYPE_CHECKING:
    import torch

FILES = 3  # that come with an order: for its reports, its standard output and its standard error
READ_S = 1.0  # s, the least time between two readings of the device
_DEEP = sys.getrecursionlimit()
# As they are before a task's code runs.
_exit, _limit_recursion, _open_file, _dup2 = os._exit, sys.setrecursionlimit, os.open, os.dup2


@dataclass(frozen=True)
class Prepared:
    """The files that a template's modules came from, as they were before that."""

    stamps: Stamps

    @classmethod
    def said(cls, data: bytes) -> Self:
        """What a template says of itself; nothing where it cannot be read."""
        try:
            return cls({str(file): (int(time_), int(size)) for file, (time_, size) in json.loads(data).items()})
        except (AttributeError, TypeError, ValueError):
            return cls({})

    def to_say(self) -> bytes:
        return json.dumps(self.stamps).encode()

    def is_current(self) -> bool:
        """Return whether none of the files was changed since."""
        return all(stamp_of(file) == stamp for file, stamp in self.stamps.items())


class Reporter:
    """A trial's line to its agent, for one order, whose streams this process has until it gives them back."""

    def __init__(self, line: Connection) -> None:
        """Wait for the next order.

        Raises:
            EOFError, OSError: there will be none, the keeper is gone.
        """
        self.order: Order = line.recv()
        reports, *streams = taken_over(line, FILES)
        self._channel = Channel(socket(fileno=reports))
        self.output = Borrowed(*streams)

    def send(self, report: Report | Reading) -> None:
        self._channel.send(packed(report, self.order))

    def hear(self, seconds: float = 0.0) -> Stop | GoOn | None:
        """The next word of the agent, None if none comes within about so many seconds."""
        message = self._channel.receive(seconds)
        word = None if message is None else unpacked(message, self.order)
        return word if isinstance(word, Stop | GoOn) else None

    def inherited(self) -> None:
        """Let this process speak, which was forked from the one that took the order."""
        self._channel = self._channel.inherited()

    def close(self) -> None:
        self._channel.close()


def host(line: Connection, setup: Setup) -> NoReturn:
    """Open the device and train orders of built-in tasks one after another, so that data are loaded once."""
    import torch

    torch.set_num_threads(setup.threads)
    try:
        device = _device(setup.device)
        opened = setup.open_device(device)
        _open(device)
    except Exception as error:
        line.send_bytes(json.dumps({"reason": reason_of(error), "out_of_memory": is_out_of_memory(error)}).encode())
        raise
    line.send_bytes(json.dumps([str(device), isinstance(opened, Cpu)]).encode())
    while True:
        try:
            reporter = Reporter(line)
        except (EOFError, OSError):
            _exit(0)
        _train(reporter, device, opened)
        reporter.output.give_back()
        reporter.close()


def template(line: Connection, setup: Setup) -> NoReturn:
    """Prepare an own task at its first order, then fork a process for each. One that cannot be forked, because the task
    has started threads or processes or has opened a GPU, trains its one order itself, and ends."""
    is_prepared = False
    while True:
        try:
            reporter = Reporter(line)
        except (EOFError, OSError):
            _exit(0)
        if not is_prepared:
            try:
                stamps = _prepare(reporter.order, setup)
            except BaseException as error:
                _fail(reporter, error)
                _leave()
            if not _can_be_forked():
                _trial(reporter, setup)
            is_prepared = True
            gc.freeze()  # forks share these objects' memory until they write to it
            line.send_bytes(Prepared(stamps).to_say())
        sys.stdout.flush()
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            line.close()
            family.end_with(parent)
            reporter.inherited()
            _trial(reporter, setup)
        reporter.output.give_back()
        reporter.close()
        _, status = os.waitpid(pid, 0)
        line.send_bytes(str(os.waitstatus_to_exitcode(status)).encode())


def _prepare(order: Order, setup: Setup) -> Stamps:
    """What every trial of the task does first, and what does not depend on its settings: the same each time.

    Returns the stamps of the files that the task's modules come from.
    """
    from workers.tasks.code import read_once, version_of
    from workers.tasks.registry import module_of
    from workers.trial.dividing import task_of
    from workers.trial.fingerprint import data_of

    stamps = read_once(module_of(order.task))
    _seed(0)
    task = task_of(order, 0)
    version_of(type(task))
    if setup.device == "cpu":
        task.splits(_device("cpu"))
        data_of(task, _device("cpu"))
    return stamps


def _can_be_forked() -> bool:
    import torch

    opened: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    if opened or threading.active_count() > 1 or family.descendants(os.getpid()):
        return False
    tasks = Path("/proc/self/task")
    return not tasks.exists() or len(list(tasks.iterdir())) == 1


def _trial(reporter: Reporter, setup: Setup) -> NoReturn:
    """Train an own task's order in this process, which is for nothing else."""
    import torch

    os.setsid()  # a signal to the group reaches this trial alone
    os.register_at_fork(after_in_child=_hear_signals)
    try:
        if torch.get_num_threads() == 1:
            torch.set_num_threads(setup.threads)
        device = _device(setup.device)
        opened = setup.open_device(device)
        order = reporter.order
        _seed((order.study_seed + order.first_seed) % 2**32)
    except BaseException as error:
        _fail(reporter, error)
        _leave()
    _train(reporter, device, opened)
    _leave()


def _leave() -> NoReturn:
    """End this process, which is one trial's. The worker waits for the end of its streams, and the kernel closes them
    only after it has freed the memory."""
    flush()
    with contextlib.suppress(OSError):
        nowhere = _open_file(os.devnull, os.O_WRONLY)
        for number in (1, 2):  # without a moment in which another file could have the number
            _dup2(nowhere, number)
    _exit(0)


def _seed(seed: int) -> None:
    """Begin the random numbers of Python and numpy, which are a process's own otherwise. torch's follow the trial's."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)


def _hear_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _device(name: str) -> "torch.device":
    import torch

    kind, _, ordinal = name.partition(":")
    if kind == "auto":
        name = f"cuda:{ordinal or 0}" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _open(device: "torch.device") -> None:
    """Take the first step on the device, which opens it, before a run is leased."""
    import torch

    weight = torch.nn.Parameter(torch.ones(1, device=device))
    torch.autograd.backward(weight.square().sum())
    torch.optim.Adam([weight], fused=True).step()


def _train(reporter: Reporter, device: "torch.device", opened: Device) -> None:
    """Carry out the order. Only the line to the agent says that the agent is gone: a task may raise any error."""
    from workers.trial.orders import train

    read_at = time.monotonic()
    try:
        opened.begin()
        for report in train(reporter.order, device, reporter.hear):
            # Before the report: the agent stops listening after a trial's last one.
            if time.monotonic() >= read_at or not isinstance(report, EpochDone):
                reading = opened.read()
                if reading is not None:
                    reporter.send(reading)
                read_at = time.monotonic() + READ_S
            reporter.send(report)
    except ChannelClosed:
        _exit(0)
    except BaseException as error:
        _fail(reporter, error)


def _fail(reporter: Reporter, error: BaseException) -> None:
    _limit_recursion(_DEEP)  # the task may have left no room to say anything
    try:
        reporter.send(Failed(reason_of(error), traceback.format_exc(), is_out_of_memory(error)))
    except ChannelClosed:
        _exit(0)


def reason_of(error: BaseException) -> str:
    """The error's name and text in a line, as the reason of a failed trial."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except BaseException as second:
        text = f"its text cannot be read ({type(second).__name__})"
    return f"{name}: {text}"[:1000] if text else name
