"""Response headers that stop browsers from guessing types, framing and caching."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ResponseHeaders:
    """ASGI middleware that gives every response the headers it lacks, and a content security policy in any case.

    Policies add up: where a page has its own, browsers obey both.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], policy: str) -> None:
        self.app = app
        self.headers = dict(headers)
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = MutableHeaders(scope=message)
                present.append("Content-Security-Policy", self.policy)
                for name, value in self.headers.items():
                    present.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
