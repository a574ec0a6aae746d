"""What a worker does with what its trial writes: it goes to the worker's own streams as it is, or a record a line.

Where logs are JSON, a line that a task prints becomes a record of its own, which names the study and the run, so that
whoever collects the logs reads records alone.
"""

import contextlib
import logging
import os
import time
from typing import Protocol

from pernodedrop.visible import FORMS, log_format

LONGEST_LINE = 16 * 1024  # bytes of a record; a longer line has several
_STREAMS = {1: "stdout", 2: "stderr"}


class Passing(Protocol):
    """Passes on what one stream of a trial says."""

    def say(self, data: bytes) -> None: ...
    def end(self) -> None: ...


def passing(number: int) -> Passing:
    """How the stream of this number, 1 or 2, is passed on by this process."""
    return Records(_STREAMS[number]) if log_format() != FORMS[0] else Raw(number)


class Raw:
    """To the same stream of this process, byte for byte."""

    def __init__(self, number: int) -> None:
        self._number = number

    def say(self, data: bytes) -> None:
        """Write; what the stream does not take is lost for it alone."""
        left = memoryview(data)
        with contextlib.suppress(OSError):
            while left:
                try:
                    left = left[os.write(self._number, left) :]
                except BlockingIOError:
                    time.sleep(0.01)

    def end(self) -> None:
        return


class Records:
    """To the log, a record a line, whatever the worker's own level is."""

    def __init__(self, stream: str) -> None:
        self._log = logging.getLogger(f"trial.{stream}")
        self._log.setLevel(logging.INFO)
        self._line = bytearray()

    def say(self, data: bytes) -> None:
        self._line += data
        *whole, rest = self._line.split(b"\n")
        for line in whole:
            self._tell(line)
        while len(rest) > LONGEST_LINE:
            self._tell(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._line = bytearray(rest)

    def end(self) -> None:
        if self._line:
            self._tell(self._line)
            self._line = bytearray()

    def _tell(self, line: bytes | bytearray) -> None:
        if line.strip():
            for begin in range(0, len(line), LONGEST_LINE):
                text = bytes(line[begin : begin + LONGEST_LINE]).decode(errors="backslashreplace")
                self._log.info("%s", text.rstrip("\r"))
