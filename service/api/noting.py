"""Notes every order that was done: who ordered it, of which study, with which words."""

import json
import logging
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.roles import taken_by
from service.storage.access import deeds
from service.storage.database.database import Database
from service.web.access import caller_of
from service.web.lanes import Lane

log = logging.getLogger(__name__)

MOST_BODY = 4096  # bytes of a request that are looked at; a definition is longer, and lies with its study
AT_ONCE, WAITING = 2, 512


class Noting:
    """ASGI middleware that writes a row for each order before its answer is sent.

    An order that was done and cannot be noted, because the database went away meanwhile, is told to the log.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app, self._database = app, database
        self._lane = Lane("notes of orders", AT_ONCE, WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            return await self.app(scope, receive, send)
        body = bytearray()

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(body) <= MOST_BODY:
                body.extend(message.get("body", b"")[: MOST_BODY + 1])
            return message

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                await self._note(scope, bytes(body), dict(message["headers"]))
            await send(message)

        return await self.app(scope, heard, noted)

    async def _note(self, scope: Scope, body: bytes, headers: dict[bytes, bytes]) -> None:
        if "route" not in scope:  # of no route of ours
            return
        taken = taken_by(scope)
        if taken.deed is None:
            return
        named = dict(scope["path_params"])
        created = headers.get(b"location", b"").decode("latin-1")  # such as studies/digits-1
        study = named.pop("name", None)
        if study is None and created.startswith("studies/"):
            study = created.removeprefix("studies/")
        caller = caller_of(HTTPConnection(scope)).name
        detail = {**{name: str(value) for name, value in named.items()}, **(_words(body) if taken.with_words else {})}
        try:
            await self._lane.run(deeds.note, self._database, caller, taken.deed, study, detail)
        except Exception as error:
            log.warning("%s by %s of study %s was done and is not in the audit: %s", taken.deed, caller, study, error)


def _words(body: bytes) -> dict[str, Any]:
    """The fields of a short body."""
    if not body or len(body) > MOST_BODY:
        return {}
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
