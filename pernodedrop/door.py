"""The door of a process of ours: what holds before anything else is imported, and until the process has ended.

A signal ends it without a traceback and with an exit code of ours; its standard streams are there, and can write every
letter. It imports little, because Ctrl-C may come at any time.
"""

import atexit
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pernodedrop.begin import program

INTERRUPTED = 130  # the exit code of a command that SIGINT, SIGTERM or SIGHUP has ended
TOGETHER_S = 1.0  # signals so close to each other are one wish: a system that shuts down sends two


class _Signals:
    """What a signal does: it ends the process at once, raises KeyboardInterrupt, or waits."""

    def __init__(self) -> None:
        self.code = INTERRUPTED  # of a process that a signal ends at once
        self.raises = False
        self.held = 0  # blocks that must not be disturbed, one within the other
        self._waits = False
        self._raised = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if not self.raises:
            os._exit(self.code)
        if self.held:
            self._waits = True
        elif time.monotonic() - self._raised >= TOGETHER_S:
            self.interrupt()

    def interrupt(self) -> None:
        self._waits, self._raised = False, time.monotonic()
        raise KeyboardInterrupt

    def release(self) -> None:
        """Raise what came while it was held."""
        self.held -= 1
        if self._waits and not self.held:
            self.interrupt()

    def again(self) -> None:
        """Raise once more what was raised where nobody could catch it, such as in a destructor."""
        self._raised = float("-inf")
        late = threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGTERM))
        late.daemon = True
        late.start()


_signals = _Signals()


def heeded() -> tuple[signal.Signals, ...]:
    """SIGINT, SIGTERM, and SIGHUP unless this process was told to ignore it, as `nohup` does."""
    hangs_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangs_up)


def hold_signals() -> None:
    """Let signals wait until the process heeds them, also across an exec."""
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded())


def hold_signals_of(*programs: str) -> None:
    """Do so if this process runs one of these modules, and its packages are still being imported."""
    if program() in programs:
        hold_signals()


def open_door() -> None:
    """From now on a signal ends this process at once, and its standard streams are there. Call it first of all."""
    open_streams()
    sys.unraisablehook = _unraisable
    for number in heeded():
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job is not to hear Ctrl-C
            signal.signal(number, _signals)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heeded())


def through(call: Callable[[], int]) -> int:
    """Return the exit code of `call`, in which a signal raises KeyboardInterrupt, or that of an interrupted command.

    Afterwards a signal ends the process with this code.
    """
    _signals.raises = True
    try:
        _signals.code = call()
    except KeyboardInterrupt:
        _signals.code = INTERRUPTED
    finally:
        _signals.raises = False
        atexit.register(_ignore_signals)
    return _signals.code


def _ignore_signals() -> None:
    """Let the last moments of Python pass, in which it has taken our handlers away."""
    for number in heeded():
        signal.signal(number, signal.SIG_IGN)


def heed_in_background() -> None:
    """Heed SIGINT even in a shell's background job, which starts with it ignored: for what must be stopped in order."""
    if signal.getsignal(signal.SIGTERM) is _signals:
        signal.signal(signal.SIGINT, _signals)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals wait for the end of the block, where they raise KeyboardInterrupt."""
    _signals.held += 1
    try:
        yield
    finally:
        _signals.release()


def open_streams() -> None:
    """Give a closed standard stream /dev/null, and let all of them write a letter that they do not have as \\xfc.

    Otherwise the next file or connection would have the stream's number, and be written to by whoever prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False, encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard(stream: Any) -> None:
    """Let what is still to be written to the stream go nowhere: it cannot be written, and the exit would say so."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):  # one without a descriptor
        return
    finally:
        os.close(nowhere)


_usual_unraisable = sys.unraisablehook


def _unraisable(caught: Any) -> None:
    if issubclass(caught.exc_type, KeyboardInterrupt):
        _signals.again()
    else:
        _usual_unraisable(caught)
