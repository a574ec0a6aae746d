"""`GET /studies/{name}/events`: what an open page gets of a study, as server-sent events.

A page that comes back names the last event that it has, by `Last-Event-ID` or `?after=`, and gets what it has missed.
"""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.dashboard.study.live.channel import END, Channel, event
from service.dashboard.study.live.watcher import LEAVING, Watcher
from service.web.access import caller_of, is_admitted
from service.web.connections import ends_at_shutdown

RETRY_MS = 2000  # after which a browser connects again
LOOK_S = 1.0  # within which a page learns that its session has ended
BEAT_S = 15.0  # without news after which a sign of life is sent: proxies and browsers close what is silent
BEAT = "beat"
LOGGED_OUT = "logged out"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
TYPE = "text/event-stream"


async def events(request: Request) -> Response:
    watcher: Watcher = request.app.state.watcher
    channel = await watcher.channel(request.path_params["name"])
    if request.method == "HEAD":
        return Response(headers=HEADERS, media_type=TYPE)
    return _Stream(request, watcher, channel)


class _Stream(StreamingResponse):
    """An answer that lasts until the page is closed, the study is deleted, the session ends or the server leaves."""

    def __init__(self, request: Request, watcher: Watcher, channel: Channel) -> None:
        self._request, self._watcher, self._channel = request, watcher, channel
        self._is_over = False
        super().__init__(self._written(), headers=HEADERS, media_type=TYPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ends_at_shutdown(self._request, self._end)
        caller = caller_of(self._request)
        self._watcher.enter(self._channel, caller)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watcher.leave(self._channel, caller)

    def _end(self) -> None:
        self._is_over = True
        self._channel.wake()

    async def _written(self) -> AsyncIterator[bytes]:
        request, channel = self._request, self._channel
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        known = channel.known_to(last)
        yield f"retry: {RETRY_MS}\n\n".encode() + _beat()
        said_at = time.monotonic()
        while True:
            version = channel.version
            for one in channel.since(known):
                yield one
                said_at = time.monotonic()
            known = version
            why = await self._why_over()
            if why is not None:
                yield event(END, {"why": why})
                return
            if time.monotonic() - said_at >= BEAT_S:
                yield _beat()
                said_at = time.monotonic()
            await channel.news(known, LOOK_S)

    async def _why_over(self) -> str | None:
        if self._is_over or self._watcher.is_leaving:
            return LEAVING
        if not await is_admitted(self._request):
            return LOGGED_OUT
        return self._channel.ended


def _beat() -> bytes:
    """A sign of life, with the server's time, by which the page counts."""
    return event(BEAT, {"at": datetime.now(UTC).isoformat(timespec="milliseconds")})
