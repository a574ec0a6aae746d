"""The dashboard as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from service.dashboard import routes
from service.dashboard.errors import handlers
from service.dashboard.login import Login, LoginRequired
from service.dashboard.optuna_pages import optuna_pages
from service.dashboard.session import Sessions
from service.settings import Settings
from service.web.headers import ResponseHeaders
from service.web.incidents import Incidents
from service.web.opening import open_database
from service.web.relative import BelowPath
from service.web.reports import Reports
from service.web.security import LoopbackOnly, refuse_open_door

DATABASE_CONNECTIONS = 4
POLICY = "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(settings: Settings) -> Starlette:
    """Return the dashboard for these settings. It connects to the database at the first request that needs it.

    Raises:
        ValueError: the address is not loopback and no API key is set, or `database_url` is missing or no Postgres URL.
    """
    refuse_open_door(settings.host, settings.api_key)
    database = open_database(settings, DATABASE_CONNECTIONS)
    sessions = Sessions()

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        database.close()

    app = Starlette(
        routes=[*_our_routes(settings, sessions), Mount("/", optuna_pages(database))],
        middleware=[
            Middleware(BelowPath, root=settings.root_path),
            Middleware(ResponseHeaders, headers=HEADERS, policy=POLICY),
            Middleware(Incidents),
            Middleware(LoginRequired, sessions) if settings.api_key else Middleware(LoopbackOnly),
        ],
        exception_handlers=handlers(),
        lifespan=closing,
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller named
    app.state.database = database
    app.state.reports = Reports(database)
    app.state.artifacts = settings.artifacts
    app.state.with_login = bool(settings.api_key)
    return app


def _our_routes(settings: Settings, sessions: Sessions) -> list[BaseRoute]:
    ours: list[BaseRoute] = [
        Route("/", routes.home),
        Route("/health", routes.health),
        Route("/style.css", routes.style),
        Route("/studies", routes.study_list),
        Route("/studies/{name}", routes.study),
        Route("/studies/{name}/weights", routes.weights),
    ]
    if settings.api_key:
        login = Login(settings.api_key, sessions, https=settings.dashboard_url.startswith("https:"))
        ours += [
            Route("/login", login.form),
            Route("/login", login.enter, methods=["POST"]),
            Route("/logout", login.leave, methods=["POST"]),
        ]
    return ours
