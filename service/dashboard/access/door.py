"""The door of the pages: who logged in, who has a link to one study, and who is sent to the login."""

import time
from urllib.parse import quote

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dashboard.access.session import COOKIE, Sessions
from service.dashboard.access.sharing import LINK_COOKIE, LINK_PATH, is_shared, links_caller
from service.dashboard.errors import fault_page
from service.storage.errors import StorageError
from service.web.access import LOCAL, Caller, NotAllowed, Role, note_caller
from service.web.keyring import Keyring
from service.web.keys import KeyCheck
from service.web.lanes import Busy
from service.web.relative import to_root

OPEN_PATHS = frozenset({"/login", "/health", "/metrics", LINK_PATH})  # metrics ask for the key themselves
OPEN_FOLDER = "/assets/"


class Door:
    """ASGI middleware that notes who calls: outside of the login nobody comes further without being known.

    A session ends with its key, and within `keyring.KEPT_S` of its revocation.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, check: KeyCheck, keyring: Keyring) -> None:
        self.app = app
        self.sessions, self.check, self.keyring = sessions, check, keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER):
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        answer: Response | None = None
        try:
            caller = await self._caller(connection)
            if caller is None:
                answer = _to_login(connection)
            elif caller.study is not None and not is_shared(scope["method"], scope["path"], caller.study):
                answer = fault_page(Request(scope), NotAllowed(Role.READ, caller))
            else:
                note_caller(connection, caller, lambda: self._is_still(connection, caller))
        except (StorageError, Busy) as error:  # nobody can say who this is
            answer = fault_page(Request(scope), error)
        return await (answer or self.app)(scope, receive, send)

    async def _is_still(self, connection: HTTPConnection, caller: Caller) -> bool:
        """Whether the request would still be this caller's; so it is while the database cannot say otherwise."""
        try:
            return await self._caller(connection) == caller
        except (StorageError, Busy):
            return True

    async def _caller(self, connection: HTTPConnection) -> Caller | None:
        key = self.sessions.key(connection.cookies.get(COOKIE, ""), time.time())
        caller = None if key is None else await self.check.holder(key)
        if caller is None and not await self.check.asks():
            return LOCAL
        return caller or await links_caller(connection.cookies.get(LINK_COOKIE, ""), self.keyring)


def _to_login(connection: HTTPConnection) -> Response:
    """Send people to the form; programs, such as the scripts of an open page, get a plain 401."""
    if "text/html" not in connection.headers.get("accept", ""):
        reason = "the session has ended: log in again at /login"
        return JSONResponse({"error": "login_required", "message": reason, "reason": reason}, status_code=401)
    wanted = URL(scope=connection.scope)
    target = wanted.path + (f"?{wanted.query}" if wanted.query else "")
    return RedirectResponse(f"{to_root(connection)}login?next={quote(target)}", status_code=303)
