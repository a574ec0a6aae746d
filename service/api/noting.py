"""Says who orders what, so that the storage notes it with what it does: who, of which study, with which words.

Where nothing changed by an order, its answer says so in the header `CHANGED`.
"""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.roles import taken_by
from service.storage.database.ordered import Ordered, ordering
from service.storage.unchanged import CHANGED
from service.web.access import caller_of

ADDRESS = "url"  # the field
MOST_BODY = 4096  # bytes of a request that are looked at; a definition is longer, and lies with its study


class Noting:
    """ASGI middleware that has every order noted in the transaction that does it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self.app(scope, receive, send)
            return
        body = bytearray()

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(body) <= MOST_BODY:
                body.extend(message.get("body", b"")[: MOST_BODY + 1])
            return message

        async def saying_send(message: Message) -> None:
            is_done = message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST
            if is_done and "route" in scope and taken_by(scope).deed is not None and not given.changes:
                MutableHeaders(scope=message)[CHANGED] = "no"
            await send(message)

        with ordering(lambda: _ordered(scope, bytes(body))) as given:
            await self.app(scope, heard, saying_send)


def _ordered(scope: Scope, body: bytes) -> Ordered | None:
    """What the request orders, once it has found its route and its caller; None where that is not noted."""
    taken = taken_by(scope)
    if taken.deed is None:
        return None
    named = {name: str(value) for name, value in scope["path_params"].items() if name != "name"}
    caller = caller_of(HTTPConnection(scope)).name
    words = _words(body) if taken.with_words else {}
    return Ordered(caller, taken.deed, {**named, **{word: said for word, said in words.items() if word not in named}})


def _words(body: bytes) -> dict[str, Any]:
    """The fields of a short body."""
    if not body or len(body) > MOST_BODY:
        return {}
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    # What stands behind the host of a webhook's address is often its secret.
    return {**said, ADDRESS: _host_of(said[ADDRESS])} if ADDRESS in said else said


def _host_of(address: Any) -> str:
    parts = urlsplit(str(address))
    return f"{parts.scheme}://{parts.netloc}/..."
