"""A slot's keeper: has its orders carried out by processes that it forks, and ends them with all that they started.

It runs no task's code. Built-in tasks share one process, the host, trial after trial. An own task has a template, which
has imported the task's module and, on a CPU, loaded the data; every trial is forked from it anew. So what a trial
computes follows from its order, not from what ran before it.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait

from pernodedrop.backends.choice import BACKENDS
from pernodedrop.names import LAWS, REGULARIZERS
from search_spaces import BUILT_IN_TASKS
from workers.trial import family
from workers.trial.channel import hand_over, taken_over
from workers.trial.main import FILES, Prepared, host, template
from workers.trial.messages import Gone, Order, Ready, Setup, Unready
from workers.trial.warming import is_warm, warm

_KEPT = 2  # templates, with their data: studies take turns on a worker, memory is finite
_LONGEST = 2**24  # bytes that a template may say at once
_ANSWER_S = 5.0  # s in which a child's end is told, or noticed
_LOOK_S = 0.2  # s between two looks at a child in training
_HOST = "host"


@dataclass
class _Child:
    pid: int
    line: Connection
    prepared: Prepared | None = None  # of a template, once trials can be forked from it
    trains: int | None = None  # the number of the order that the worker waits for
    status: int | None = None  # how it has ended

    def has_ended(self, *, wait: bool = False) -> bool:
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None


class _CannotOpen(Exception):
    """The host cannot use the device."""

    def __init__(self, unready: Unready) -> None:
        super().__init__(unready.reason)
        self.unready = unready


class Keeper:
    """Serves one slot of the worker over `worker`: (number, order) and the order's files, until that is closed."""

    def __init__(self, worker: Connection, setup: Setup) -> None:
        self._worker, self._setup = worker, setup
        self._host_may_stay = False  # beside another's trial: on a CPU, where it holds no memory of a device
        self._children: dict[str, _Child] = {}  # the host, and templates by task, the latest used last

    def run(self) -> None:
        family.adopt_orphans()
        try:
            if self._open_device():
                while self._serve():
                    pass
        except (EOFError, OSError):  # the worker is gone
            pass
        except _CannotOpen as error:
            self._worker.send(error.unready)
        finally:
            family.end_descendants()

    def _open_device(self) -> bool:
        """Start the host, which finds out whether the device can be used."""
        try:
            self._start_host()
        except EOFError:
            return False
        self._worker.send(Ready(self._setup.device, os.getpid()))
        return True

    def _start_host(self) -> _Child:
        child = self._start(_HOST, host)
        said = json.loads(child.line.recv_bytes(_LONGEST))
        if isinstance(said, dict):
            raise _CannotOpen(Unready(**said))
        device, self._host_may_stay = said
        self._setup = replace(self._setup, device=device)
        return child

    def _serve(self) -> bool:
        """Wait for the worker or a child to say something, or to end; returns False once the worker leaves."""
        lines = [child.line for child in self._children.values()]
        # A child whose descendants hold its line must be looked at.
        busy = any(child.trains is not None for child in self._children.values())
        ready = wait([self._worker, *lines], _LOOK_S if busy else None)
        for key, child in list(self._children.items()):
            if child.line in ready:
                self._heed(key)
        for key, child in list(self._children.items()):
            if child.has_ended():
                self._lose(key)
        if self._worker in ready:  # last: it may end children
            if (message := self._worker.recv()) is None:
                return False
            number, order = message
            self._begin(number, order, taken_over(self._worker, FILES))
        return True

    def _begin(self, number: int, order: Order, files: list[int]) -> None:
        try:
            self._settle()
            child = self._child_for(order)
            child.trains = number
            with contextlib.suppress(OSError):  # it has ended, which is noticed later
                child.line.send(order)
                hand_over(child.line, files)
        finally:
            for file in files:
                os.close(file)

    def _child_for(self, order: Order) -> _Child:
        if is_built_in(order):
            return self._children.get(_HOST) or self._start_host()
        if not self._host_may_stay:
            self._end(_HOST)
        if not is_warm(order.config):
            warm(order.config)
            for key in self._templates():  # they were forked from this process before
                self._end(key)
        key = f"{order.data_folder}: {order.task.model_dump_json()}"
        child = self._children.get(key)
        if child is not None and child.prepared is not None and child.prepared.is_current():
            self._children[key] = self._children.pop(key)  # the last to be ended
            return child
        self._end(key)
        while len(templates := self._templates()) >= _KEPT:
            self._end(templates[0])
        return self._start(key, template)

    def _templates(self) -> list[str]:
        """The keys of the templates, those that were used last at the end."""
        return [key for key in self._children if key != _HOST]

    def _start(self, key: str, serve: Callable[[Connection, Setup], None]) -> _Child:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        keeper = os.getpid()
        if (pid := os.fork()) == 0:
            family.end_with(keeper)
            family.close_all_but(theirs.fileno())
            family.go_first_when_memory_runs_out()
            serve(Connection(theirs.detach()), self._setup)
            os._exit(0)
        theirs.close()
        self._children[key] = _Child(pid, Connection(ours.detach()))
        return self._children[key]

    def _heed(self, key: str) -> None:
        """Take in what a template says: what it has prepared, and later how a trial's process has ended."""
        child = self._children[key]
        try:
            said = child.line.recv_bytes(_LONGEST)
        except (EOFError, OSError):
            self._lose(key)
            return
        if child.prepared is None:
            child.prepared = Prepared.said(said)
        else:
            self._over(child, int(said) if said.lstrip(b"-").isdigit() else 1)

    def _lose(self, key: str) -> None:
        child = self._children[key]
        self._over(child, self._end(key, patience=_ANSWER_S))

    def _over(self, child: _Child, status: int) -> None:
        """The process that trained the child's order has ended."""
        self._sweep()
        if child.trains is not None:
            self._worker.send(Gone(child.trains, status))
        child.trains = None

    def _settle(self) -> None:
        """End what is left of an earlier order: the worker has turned to the next one."""
        for key, child in list(self._children.items()):
            if key == _HOST or child.trains is None:
                continue
            self._sweep()
            if child.prepared is not None and child.line.poll(_ANSWER_S):
                self._heed(key)
            if child.trains is not None:
                self._end(key)
        if self._templates():  # the host alone has nothing below it, and reading all processes costs some milliseconds
            self._sweep()

    def _end(self, key: str, patience: float = 0.0) -> int:
        """End a child, and all below it; returns how it ended, 0 if there is none."""
        child = self._children.pop(key, None)
        if child is None:
            return 0
        child.line.close()
        deadline = time.monotonic() + patience
        while not child.has_ended() and time.monotonic() < deadline:
            time.sleep(0.002)
        if child.status is None:
            with contextlib.suppress(OSError):
                os.kill(child.pid, signal.SIGKILL)
            child.has_ended(wait=True)
        self._sweep()
        return child.status or 0

    def _sweep(self) -> None:
        family.end_descendants([child.pid for child in self._children.values()])


def is_built_in(order: Order) -> bool:
    """Return whether the order runs this project's code alone, which leaves nothing behind in its process."""
    task = BUILT_IN_TASKS[order.task.name].path if order.task.is_built_in else order.task.name
    outside = (
        order.config.regularizer in REGULARIZERS.outside or order.config.stir_type in LAWS.outside or BACKENDS.outside
    )
    return task.startswith("workers.tasks.") and order.task.is_built_in and not outside
