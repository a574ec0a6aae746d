"""Optuna's own dashboard, mounted beside our pages and made read-only."""

import threading
from collections.abc import Callable, Iterable
from typing import cast

import optuna_dashboard
from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import Environ, StartResponse
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.storage.database.database import Database

THREADS = 4  # each holds at most one connection while it answers
READING = frozenset({"GET", "HEAD"})


def optuna_pages(database: Database) -> ASGIApp:
    """Return Optuna's dashboard on the database as an ASGI application that changes nothing."""
    return ReadOnly(cast(ASGIApp, WSGIMiddleware(_OptunaDashboard(database), workers=THREADS)))


class ReadOnly:
    """ASGI middleware that lets only reading methods through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            # Optuna's pages show `reason`.
            reason = "this dashboard is read-only: pause, stop and delete studies with `pernodedrop` or the API"
            body = {"error": "read_only", "message": reason, "reason": reason}
            refusal = JSONResponse(body, status_code=405, headers={"Allow": "GET, HEAD"})
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


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
        if str(cast(dict[str, object], environ).get("PATH_INFO", "")).startswith("/api/"):
            # The database may have been set back since the last page, or be away: Optuna's answer would be a 500.
            self._database.keep_up()
        with self._lock:
            if self._application is None:
                self._application = optuna_dashboard.wsgi(self._database.optuna)
            application = self._application
        return application(environ, start_response)
