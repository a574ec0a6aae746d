"""The login: a form for the API key, a cookie that stands for it, and middleware that requires the cookie."""

import time
from urllib.parse import parse_qs, quote

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dashboard.access import session
from service.dashboard.shell import brand, page
from service.reports.markup import element
from service.web.access import KEY_HOLDER, note_caller
from service.web.bodies import bounded_body
from service.web.keys import KeyCheck, TooManyWrongKeys, WrongKey
from service.web.relative import to_root

COOKIE = "pernodedrop_session"
HOME = "/studies"
MAX_FORM_BYTES = 8192
OPEN_PATHS = frozenset({"/login", "/health"})
OPEN_FOLDER = "/assets/"


class Login:
    """The routes `/login` and `/logout` for one API key."""

    def __init__(self, api_key: str, sessions: session.Sessions, https: bool) -> None:
        self._key = KeyCheck(api_key)
        self._sessions = sessions
        self._https = https

    async def form(self, request: Request) -> Response:
        return login_page(request, _local_path(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Check the key of the form and set the cookie."""
        form = parse_qs((await bounded_body(request, MAX_FORM_BYTES)).decode("utf-8", "replace"))
        target = _local_path(form.get("next", [None])[0])
        try:
            self._key.admit(form.get("key", [""])[0].encode(), request)
        except TooManyWrongKeys as error:
            return login_page(
                request, target, f"Too many wrong keys. Try again in {error.wait_s} s.", 429, error.wait_s
            )
        except WrongKey:
            return login_page(request, target, "This is not the key of this dashboard.", 401)
        response = RedirectResponse(f".{target}", status_code=303)
        response.set_cookie(
            COOKIE,
            self._sessions.open(time.time()),
            max_age=session.LIFETIME_S,
            path=None,  # the folder of the login, as the browser knows it: a proxy may serve others beside us
            httponly=True,
            samesite="strict",
            secure=self._https or request.url.scheme == "https",
        )
        return response

    async def leave(self, request: Request) -> Response:
        """End the session here, so that a copy of its cookie opens nothing either."""
        self._sessions.close(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("login", status_code=303)
        response.set_cookie(COOKIE, max_age=0, path=None, httponly=True, samesite="strict")
        return response


class LoginRequired:
    """ASGI middleware that requires the cookie of an open session outside the login."""

    def __init__(self, app: ASGIApp, sessions: session.Sessions) -> None:
        self.app = app
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER):
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        if self.sessions.is_open(connection.cookies.get(COOKIE, ""), time.time()):
            note_caller(connection, KEY_HOLDER)
            return await self.app(scope, receive, send)
        return await _to_login(connection)(scope, receive, send)


def login_page(
    request: Request, target: str, complaint: str | None = None, status: int = 200, retry_after_s: int = 0
) -> Response:
    """The login form; `target` is the page after it."""
    form = page(
        request,
        "Log in",
        element(
            "main",
            element(
                "form",
                element("h1", brand()),
                element("label", "API key", for_="key"),
                element(
                    "input",
                    id="key",
                    name="key",
                    type="password",
                    required=True,
                    autofocus=True,
                    autocomplete="current-password",
                ),
                element("input", type="hidden", name="next", value=target),
                element("p", complaint, class_="complaint", role="alert") if complaint else None,
                element("button", "Log in", type="submit"),
                element("p", "The key is the value of ", element("code", "PERNODEDROP_API_KEY"), ".", class_="hint"),
                method="post",
                action="login",
                class_="card",
            ),
            class_="narrow",
        ),
        status=status,
        with_header=False,
    )
    if retry_after_s:
        form.headers["Retry-After"] = str(retry_after_s)
    return form


def _to_login(connection: HTTPConnection) -> Response:
    """Send people to the form; programs, such as the scripts of an open page, get a plain 401."""
    if "text/html" not in connection.headers.get("accept", ""):
        reason = "the session has ended: log in again at /login"
        return JSONResponse({"error": "login_required", "message": reason, "reason": reason}, status_code=401)
    wanted = URL(scope=connection.scope)
    target = wanted.path + (f"?{wanted.query}" if wanted.query else "")
    return RedirectResponse(f"{to_root(connection)}login?next={quote(target)}", status_code=303)


def _local_path(target: str | None) -> str:
    """Return the page after the login, which may only be a local path: the form must not redirect elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return HOME
    return target if target.isprintable() else HOME
