"""What a trial writes to its standard streams: its own end of it, and the worker's.

The worker passes all of it on (`passing.py`), and keeps the end. It reads as
fast as the trial writes, in a thread of its own, so that no amount holds a trial up.
"""

import contextlib
import contextvars
import os
import select
import sys
import threading

from pernodedrop.scrubbing import BYTES, LONGEST, last_lines
from service.storage.records import Log
from workers.trial.passing import passing

_KEPT = BYTES + LONGEST  # a secret that the cut goes through is found first
_AT_ONCE = 2**16
_OWN = (1, 2)  # standard output and error


class Tail:
    """The end of a stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end = bytearray()
        self.written = 0  # bytes in all

    def add(self, data: bytes) -> None:
        with self._lock:
            self.written += len(data)
            self._end += data
            if len(self._end) > 2 * _KEPT:
                self._end = bytearray(_as_shown(bytes(self._end)))
                del self._end[:-_KEPT]

    def text(self) -> str:
        """The last lines, without secrets."""
        with self._lock:
            end = bytes(self._end)
        return last_lines(_as_shown(end).decode(errors="backslashreplace"))


def _as_shown(data: bytes) -> bytes:
    """The lines without what a progress bar has written over."""
    if b"\r" not in data:
        return data
    return b"\n".join(_last_shown(line) for line in data.split(b"\n"))


def _last_shown(line: bytes) -> bytes:
    kept = line.rstrip(b"\r")
    return kept.rpartition(b"\r")[2] + (b"\r" if len(kept) < len(line) else b"")


class Output:
    """The worker's end: two pipes, whose other ends `theirs` are for the trial."""

    def __init__(self) -> None:
        pipes = [os.pipe(), os.pipe()]
        self.theirs = [write for _, write in pipes]
        self._tails = (Tail(), Tail())
        ours = [read for read, _ in pipes]
        here = contextvars.copy_context()  # what records are about
        self._thread = threading.Thread(target=here.run, args=(self._read, ours), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the trial's ends here: when it has closed them too, all is read."""
        for number in self.theirs:
            os.close(number)
        self.theirs = []

    @property
    def written(self) -> int:
        """Bytes of both streams."""
        return sum(tail.written for tail in self._tails)

    def log(self, seconds: float = 0.0, traceback: str | None = None) -> Log:
        """What was written so far; waits for the end of it for so many seconds."""
        self._thread.join(seconds)
        out, err = self._tails
        raised = None if traceback is None else last_lines(traceback)
        return Log(out.text(), err.text(), (out.written, err.written), raised)

    def _read(self, ours: list[int]) -> None:
        poll = select.poll()  # select knows no file above 1023
        streams = dict(zip(ours, zip(map(passing, _OWN), self._tails, strict=True), strict=True))
        for number in ours:
            poll.register(number, select.POLLIN)
        while streams:
            for number, _ in poll.poll():
                passed, tail = streams[number]
                data = os.read(number, _AT_ONCE)
                if data:
                    tail.add(data)
                    passed.say(data)
                else:
                    passed.end()
                    poll.unregister(number)
                    os.close(number)
                    del streams[number]


class Borrowed:
    """The trial's end: its process writes to these files instead of its own streams until `give_back`."""

    def __init__(self, *files: int) -> None:
        flush()
        self._before = [os.dup(number) for number in _OWN]
        for number, file in zip(_OWN, files, strict=True):
            os.dup2(file, number)
            os.close(file)

    def give_back(self) -> None:
        flush()
        for number, before in zip(_OWN, self._before, strict=True):
            os.dup2(before, number)
            os.close(before)


def by_lines() -> None:
    """Let this process write whole lines at once, so that they are there when it is killed."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def flush() -> None:
    """Write what this process still holds; a task may have closed or replaced its streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
