"""A record of the log for every call, where the operator wants one: who, what, how it was answered, how long it took.

It has the path without its query: a link's token stands there.
"""

import logging
from time import monotonic

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pernodedrop.log_context import about
from service.web.access import known_caller

log = logging.getLogger(__name__)


class Calls:
    """ASGI middleware that logs each call when it has been answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = monotonic(), None  # of a client that has gone before the answer

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            caller = known_caller(HTTPConnection(scope))
            host = (scope.get("client") or ("-",))[0]
            name = None if caller is None else caller.name
            with about(status=status, caller=name, host=host):
                took = monotonic() - began
                said = scope["method"], scope["path"], status or "-", took, name or "nobody", host
                log.info("%s %s %s in %.3f s by %s from %s", *said)
        return None
