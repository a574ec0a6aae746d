"""A name for each request: in the answer's header X-Request-ID, and in the log's records of it."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pernodedrop.log_context import about

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware that takes the caller's id where it is short and plain, and draws one elsewhere.

    Records of a request name its study, too. Nothing behind it may copy the scope, in which the router notes it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get(HEADER, "")
        name = given if _SANE.fullmatch(given) else secrets.token_hex(8)

        async def naming_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        with about(request=name, study=lambda: study_of(scope)):
            return await self.app(scope, receive, naming_send)


def study_of(scope: Scope) -> str | None:
    """The study that the request's path names; None before it has found a route, and where that has none."""
    route = getattr(scope.get("route"), "path", "")
    name = scope.get("path_params", {}).get("name")
    return name if isinstance(name, str) and "/studies/{name}" in route else None
