"""The connections of a server: a deadline for whoever keeps one waiting, and a bound on how many there are.

uvicorn's own limits count requests. A client that connects and says nothing, sends a header a byte at a time, or never
reads its answer makes no request, so it is met here.
"""

import asyncio
import json
import resource
from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512  # open at once
SPARE_FILES = 128  # for the database, logs and pages, of the files that the process may open
HEADERS_S = 10.0  # from the connection, or the answer before, until a request's headers are there
READING_S = 60.0  # in which a client must have read something of its answer
WATCH_S = 1.0
MOST_FILES = 65_536
_AT_SHUTDOWN = "at_shutdown"

_BODY = json.dumps({"error": "busy", "message": "the server is busy: every connection is in use, try again shortly"})
_FULL = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    f"Content-Length: {len(_BODY)}\r\n\r\n{_BODY}"
).encode()


def raise_file_limit() -> int:
    """Let this process open as many files as it may, `MOST_FILES` at most; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS names a limit that it does not grant
        return soft
    return wanted


def most_connections() -> int:
    """How many connections a server of this process keeps open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(MOST_CONNECTIONS, soft - SPARE_FILES))


def ends_at_shutdown(request: HTTPConnection, end: Callable[[], None]) -> None:
    """Let `end` be called when the server is told to leave: an answer that lasts would hold it up."""
    setattr(request.state, _AT_SHUTDOWN, end)


class Connection(H11Protocol):
    """One connection. It is closed when its client owes a request, or the reading of an answer, for too long.

    Beyond `most_connections` a new one takes the place of the one that waits longest for its client; where none waits,
    because each has a request at work, the new one is refused with 503.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waits_since = self.loop.time()  # when the last answer was complete
        self._unread = 0  # bytes that the client had not taken, and since when it has taken none
        self._unread_since = self.waits_since
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        has_room = len(self.connections) < most_connections() or self._make_room()
        super().connection_made(transport)
        self._watch = self.loop.call_later(WATCH_S, self._look)
        if not has_room:
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.waits_since = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            end = self.scope.get("state", {}).get(_AT_SHUTDOWN)
            if end is not None:
                end()

    @property
    def waits_for_client(self) -> bool:
        """Whether the next step is the client's: a request's headers, the rest of its body, or to read its answer, of
        which it has taken nothing for `HEADERS_S`."""
        owes_body = not self._owes_request and self.cycle.more_body and not self.cycle.response_started
        return self._owes_request or owes_body or self.loop.time() - self._unread_since >= HEADERS_S

    @property
    def _owes_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> bool:
        """Whether a place is free, or was made free by closing the connection that waits longest for its client."""
        here = (one for one in self.connections if isinstance(one, Connection))
        open_ones = [one for one in here if not one.transport.is_closing()]
        if len(open_ones) < most_connections():
            return True
        longest = min((one for one in open_ones if one.waits_for_client), key=_waits_since, default=None)
        if longest is not None:
            longest.transport.abort()
        return longest is not None

    def _look(self) -> None:
        now, unread = self.loop.time(), self.transport.get_write_buffer_size()
        if unread == 0 or unread < self._unread:
            self._unread_since = now
        self._unread = unread
        silent = unread == 0 and self._owes_request and now - self.waits_since >= HEADERS_S
        if silent or now - self._unread_since >= READING_S:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(WATCH_S, self._look)


def _waits_since(connection: Connection) -> float:
    return connection.waits_since
