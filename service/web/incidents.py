"""Logs uncaught exceptions under an id, and gives the client only the id."""

import logging
import secrets

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class Incidents:
    """ASGI middleware that turns an unforeseen exception into one line with an incident id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except ClientDisconnect:
            return None  # nobody is left to tell, and nothing of ours went wrong
        except Exception:
            if started:
                raise
            incident = secrets.token_hex(4)
            logger.exception("incident %s in %s %s", incident, scope["method"], scope["path"])
            message = f"a fault of ours, incident {incident}: the server's log says more"
            response = JSONResponse({"error": "internal_error", "message": message}, status_code=500)
            return await response(scope, receive, send)
