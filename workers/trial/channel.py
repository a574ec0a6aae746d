"""A line between an agent and one trial: JSON in both directions, one message a line.

What comes from a trial comes from a user's code. So it is never unpickled, an agent never waits for the rest of a line,
and what is no message is passed over.
"""

import json
import os
import socket
import time
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import Any, Self

Message = dict[str, Any]

_LONGEST = 2**24  # bytes of one message
_AT_ONCE = 2**16
_exit = os._exit  # a task may replace names of a module; its own process keeps the originals


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """One end; `sender` is the process that may use it, the one that has made it.

    A process that a task has forked, and that falls through into the training loop, ends when it speaks.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._sender = connected, os.getpid()
        self._begun = bytearray()
        self._heard: deque[Message] = deque()
        self._is_closed = False

    @classmethod
    def pair(cls) -> tuple[Self, socket.socket]:
        """This process's end, and the other for another process."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def inherited(self) -> Self:
        """This end, for the process that calls and was forked from the one that has made it."""
        return type(self)(self._socket)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ChannelClosed: nobody is there to hear it.
        """
        self._check_sender()
        try:
            self._socket.sendall(json.dumps(message, default=_plain).encode() + b"\n")
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, seconds: float = 0.0) -> Message | None:
        """Return the next message, or None if none is there within about `seconds`.

        Raises:
            ChannelClosed: the other end is gone, and all that it has said was received.
        """
        self._check_sender()
        deadline = time.monotonic() + seconds
        while not self._heard:
            if self._is_closed:
                raise ChannelClosed
            if not wait([self._socket], max(0.0, deadline - time.monotonic())):
                return None
            self._read()
        return self._heard.popleft()

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_AT_ONCE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._is_closed = not data
        self._begun += data
        if len(self._begun) > _LONGEST:
            self._is_closed = True
        *lines, self._begun = self._begun.split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict):
                self._heard.append(message)

    def _check_sender(self) -> None:
        if os.getpid() != self._sender:
            _exit(1)


def hand_over(line: Connection, files: list[int]) -> None:
    """Send open files to the process at the other end of the line.

    Raises:
        OSError: it is gone.
    """
    with socket.fromfd(line.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as through:
        socket.send_fds(through, [b"f"], files)  # of a byte, as files go with bytes alone


def taken_over(line: Connection, files: int) -> list[int]:
    """Receive so many open files, which the other end hands over.

    Raises:
        EOFError, OSError: it is gone.
    """
    with socket.fromfd(line.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as through:
        said, taken, _, _ = socket.recv_fds(through, 1, files)
    if not said:
        raise EOFError
    if len(taken) != files:
        for file in taken:
            os.close(file)
        raise OSError(f"{files} open files were to come, got {len(taken)}: this process may open no more")
    return taken


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be reported")
