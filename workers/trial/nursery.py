"""Where trial processes come from: a process that has loaded torch, from which every other is forked.

Each worker has one, or workers that were started together share one (`workers.trial.shared`).

It begins with a clean environment, has one thread and opens no device, so that a fork of it is as good as a new process
and is there at once. The worker's end of it is `keeper`; `main` is the process itself.
"""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection, wait

from pernodedrop.begin import safe_path
from workers.trial import family
from workers.trial.channel import hand_over, taken_over
from workers.trial.messages import Setup
from workers.trial.output import by_lines

_BEGIN = (
    "import sys; sys.path[:] = {safe!r}; from pernodedrop.begin import keep_apart; sys.path[:] = {path!r}; "
    "keep_apart(); from workers.trial.nursery import main; main({number})"
)


SHARED = "PERNODEDROP_NURSERY"  # the descriptor of a line to one that others use too


class Nursery:
    """This worker's process for forking, started at its first use and again if it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None

    def keeper(self, setup: Setup) -> Connection:
        """Have a slot's keeper forked; returns the connection to it, see `workers.trial.keeper`."""
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            self._begin()
            try:
                self._ask(setup, theirs)
            except OSError:  # it has died just now
                self._start()
                self._ask(setup, theirs)
        return Connection(ours.detach())

    def begin(self) -> None:
        """Start the process, if there is none yet: it takes a while to be of use."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        shared = os.environ.pop(SHARED, None)
        if shared is not None:
            self._control = Connection(int(shared))
        elif self._control is None or (self._process is not None and self._process.poll() is not None):
            self._start()

    def close(self) -> None:
        """End the process, once the keepers have ended what is below them."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None

    def abandon(self) -> None:
        """End the process at once, which has been asked for nothing yet: it hears of our end only when it is of use."""
        with self._lock:  # another thread may be starting it
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _ask(self, setup: Setup, theirs: socket.socket) -> None:
        assert self._control is not None
        self._control.send(setup)
        hand_over(self._control, [theirs.fileno()])

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair()
        with theirs:
            command = _BEGIN.format(safe=safe_path(), path=sys.path, number=theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", command],
                env=family.environment_of_trials(os.environ),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches the worker alone, which decides
            )
        self._control = Connection(ours.detach())


NURSERY = Nursery()


def main(*numbers: int) -> None:
    """Fork a keeper whenever a worker asks for one on its socket, one of `numbers`, until all are gone."""
    from workers.trial.keeper import Keeper

    hear_no_signals()
    by_lines()
    family.adopt_orphans()
    controls = [Connection(number) for number in numbers]
    _warm_up()
    gc.collect()
    gc.freeze()  # forks share these objects' memory until they write to it
    keepers: set[int] = set()
    while controls:
        asking = wait(controls, 1.0 if keepers else None)
        keepers = _still_there(keepers)
        for control in [one for one in controls if one in asking]:
            try:
                setup, (handle,) = control.recv(), taken_over(control, 1)
            except (EOFError, OSError):
                controls.remove(control)
                control.close()
                continue
            sys.stdout.flush()
            if (pid := os.fork()) == 0:
                family.close_all_but(handle)
                Keeper(Connection(handle), setup).run()
                os._exit(0)
            os.close(handle)
            keepers.add(pid)
    while keepers:  # each notices by itself that the worker is gone, and ends its trial
        wait([], 0.05)
        keepers = _still_there(keepers)
    family.end_descendants()
    os._exit(0)


def hear_no_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP pass, which may reach a whole control group: the worker decides.

    Programs that a task starts have them as usual.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _still_there(keepers: set[int]) -> set[int]:
    """Reap the keepers that have ended; where one was killed, end what it has left behind."""
    gone = {pid for pid in keepers if os.waitpid(pid, os.WNOHANG)[0]}
    if gone:
        family.end_descendants(keepers - gone, with_theirs=True)
    return keepers - gone


def _warm_up() -> None:
    """Pay for a first training: what is imported and compiled in it takes seconds."""
    import torch

    torch.set_num_threads(1)
    import workers.trial.orders  # noqa: F401 (each trial's process would import it)
    from pernodedrop.backends.choice import BACKENDS
    from pernodedrop.names import LAWS, REGULARIZERS
    from search_spaces import TrialConfig
    from workers.trial.provenance import know_this_process
    from workers.trial.warming import warm

    know_this_process()
    with contextlib.suppress(ValueError):  # two have one name: a trial says which
        _ = REGULARIZERS.outside, LAWS.outside, BACKENDS.outside  # of other distributions, which are looked for once
    warm(TrialConfig(regularizer="none"))
