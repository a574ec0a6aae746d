"""The login: a form for the API key, a cookie that stands for it, and middleware that requires the cookie."""

import time
from urllib.parse import parse_qs, quote

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dashboard import pages, session
from service.dashboard.throttle import Throttle
from service.web.bodies import bounded_body
from service.web.security import same_secret

COOKIE = "pernodedrop_session"
HOME = "/studies"
MAX_FORM_BYTES = 8192
OPEN_PATHS = frozenset({"/login", "/health", "/style.css"})


class Login:
    """The routes `/login` and `/logout` for one API key."""

    def __init__(self, api_key: str, https: bool) -> None:
        self._api_key = api_key
        self._https = https
        self._throttle = Throttle()

    async def form(self, request: Request) -> Response:
        return pages.login(_local_path(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Check the key of the form and set the cookie."""
        form = parse_qs((await bounded_body(request, MAX_FORM_BYTES)).decode("utf-8", "replace"))
        target = _local_path(form.get("next", [None])[0])
        sender, now = request.client.host if request.client else "", time.monotonic()
        wait = self._throttle.wait_s(sender, now)
        if wait > 0:
            return pages.login(target, f"Too many wrong keys. Try again in {wait:.0f} s.", 429, int(wait) + 1)
        if not same_secret(form.get("key", [""])[0].encode(), self._api_key.encode()):
            self._throttle.failed(sender, now)
            return pages.login(target, "This is not the key of this dashboard.", 401)
        self._throttle.succeeded(sender)
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            COOKIE,
            session.issued(self._api_key, time.time()),
            max_age=session.LIFETIME_S,
            httponly=True,
            samesite="strict",
            secure=self._https or request.url.scheme == "https",
        )
        return response

    async def leave(self, _: Request) -> Response:
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response


class LoginRequired:
    """ASGI middleware that requires a valid cookie outside the login."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self.app = app
        self.api_key = api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        if session.is_valid(connection.cookies.get(COOKIE, ""), self.api_key, time.time()):
            return await self.app(scope, receive, send)
        return await _to_login(connection)(scope, receive, send)


def _to_login(connection: HTTPConnection) -> Response:
    """Send people to the form; programs, such as the scripts of an open page, get a plain 401."""
    if "text/html" not in connection.headers.get("accept", ""):
        reason = "the session has ended: log in again at /login"
        return JSONResponse({"error": "login_required", "message": reason, "reason": reason}, status_code=401)
    wanted = URL(scope=connection.scope)
    target = wanted.path + (f"?{wanted.query}" if wanted.query else "")
    return RedirectResponse(f"/login?next={quote(target)}", status_code=303)


def _local_path(target: str | None) -> str:
    """Return the page after the login, which may only be a local path: the form must not redirect elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return HOME
    return target if target.isprintable() else HOME
