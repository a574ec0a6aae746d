"""Optuna's own dashboard, mounted beside our pages and made read-only."""

import re
import threading
from collections.abc import Callable, Iterable
from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import Environ, StartResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.status import HTTP_200_OK
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.dashboard.optuna.bundle import Bundle, page_at
from service.reports.exports import inert_csv
from service.storage.database.database import Database
from service.storage.studies import names
from service.web.relative import to_root

THREADS = 4  # each holds at most one connection while it answers
PAGE = "/dashboard"
POLICY = (  # Optuna's own
    "default-src 'self';img-src 'self' data: blob:;frame-src 'self';object-src 'none';connect-src 'self';"
    "style-src 'self' data: 'unsafe-inline';script-src 'self' 'unsafe-eval'"
)
READING = frozenset({"GET", "HEAD"})
# The addresses that its script draws something for, below our root.
PAGES = (
    "dashboard",
    "dashboard/compare-studies",
    "dashboard/studies/{number}",
    *(
        f"dashboard/studies/{{number}}/{name}"
        for name in ("analytics", "note", "preference-history", "smartSelection", "trialTable", "trials")
    ),
)
_A_PAGE = [re.compile(page.replace("{number}", r"(?P<number>\d{1,10})"), re.ASCII) for page in PAGES]
_THEIRS = ("/api/", "/csv/", "/artifacts/", "/static/", "/favicon.ico", "/incompatible-rdb-schema")
_READ = ("/api/", "/csv/", "/artifacts/")  # what is read from the database
_TO_PROGRAMS = "/api/"  # what answers in JSON, errors too


def _ours(request: Request) -> Response:
    """The way from Optuna's page of a study to ours."""
    name = names.of_optuna(request.app.state.database, request.path_params["number"])
    if name is None:
        raise HTTPException(404)
    return RedirectResponse(f"{to_root(request)}studies/{name}", status_code=303)


ROUTES = [Route("/of-optuna/{number:int}", _ours)]


def optuna_pages(database: Database) -> ASGIApp:
    """Return Optuna's dashboard on the database as an ASGI application that changes nothing."""
    pages = cast(ASGIApp, WSGIMiddleware(_OptunaDashboard(database), workers=THREADS))
    return ReadOnly(TheirsAlone(BelowAnyPath(Tables(pages)), database))


class TheirsAlone:
    """ASGI middleware that lets through what Optuna's dashboard has: for all else our own page says that it is not."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app, self._database = app, database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == PAGE or path.startswith(f"{PAGE}/"):
            await run_in_threadpool(self._check_page, path.strip("/"))
        elif not path.startswith(_THEIRS):
            raise HTTPException(404)
        is_lost = False

        async def send_found(message: Message) -> None:
            nonlocal is_lost
            is_lost = is_lost or (message.get("status") == 404 and not path.startswith(_TO_PROGRAMS))
            if not is_lost:
                await send(message)

        await self.app(scope, receive, send_found)
        if is_lost:
            raise HTTPException(404)

    def _check_page(self, path: str) -> None:
        found = next(filter(None, (page.fullmatch(path) for page in _A_PAGE)), None)
        if found is None:
            raise HTTPException(404)
        number = found.groupdict().get("number")
        if number is None:
            self._database.ping()  # or the page would be there, and nothing on it
        elif not names.is_in_optuna(self._database, int(number)):
            raise HTTPException(404, f"Optuna's dashboard has no study {number}")


class ReadOnly:
    """ASGI middleware that lets only reading methods through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            # Optuna's pages show `reason`.
            reason = "Optuna's dashboard is read-only: give orders on the study's own page, by `pernodedrop` or the API"
            body = {"error": "read_only", "message": reason, "reason": reason}
            refusal = JSONResponse(body, status_code=405, headers={"Allow": "GET, HEAD"})
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


class BelowAnyPath:
    """ASGI middleware that answers with Optuna's page and script as they work below any path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.bundle = Bundle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope)
        path = request.url.path.rstrip("/")
        if path == "/static/bundle.js":
            response = await run_in_threadpool(self._script, request)
        elif path == PAGE or path.startswith(f"{PAGE}/"):
            response = HTMLResponse(page_at(to_root(request)), headers={"Content-Security-Policy": POLICY})
        else:
            return await self.app(scope, receive, send)
        return await response(scope, receive, send)

    def _script(self, request: Request) -> Response:
        headers = {"ETag": self.bundle.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.bundle.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.bundle.plain, media_type="text/javascript", headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(self.bundle.zipped, media_type="text/javascript", headers=headers)


class Tables:
    """ASGI middleware that makes no text of Optuna's tables a formula for spreadsheets, as in ours."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/csv/"):
            return await self.app(scope, receive, send)
        begins: Message = {}
        body = bytearray()

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                begins.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.app(scope, receive, kept)
        content = bytes(body)
        if begins["status"] == HTTP_200_OK and scope["method"] == "GET":
            content = (await run_in_threadpool(inert_csv, content.decode())).encode()
            headers = MutableHeaders(scope=begins)
            headers["Content-Type"], headers["Content-Length"] = "text/csv; charset=utf-8", str(len(content))
        await send(begins)
        return await send({"type": "http.response.body", "body": content})


class _OptunaDashboard:
    """The WSGI application, made at the first request, since making it needs the database and starting must not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._application: Callable[..., Iterable[bytes]] | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        cast(dict[str, object], environ).setdefault(
            "HTTP_ACCEPT_ENCODING", ""
        )  # without it, its static files answer 500
        if str(cast(dict[str, object], environ).get("PATH_INFO", "")).startswith(_READ):
            # The database may have been set back since the last page, or be away: Optuna's answer would be a 500.
            self._database.keep_up()
        with self._lock:
            if self._application is None:
                import optuna_dashboard  # imports scikit-learn, for which our own pages would wait at their start

                self._application = optuna_dashboard.wsgi(self._database.optuna)
            application = self._application
        return application(environ, start_response)
