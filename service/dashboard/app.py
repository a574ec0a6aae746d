"""The dashboard as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from service.dashboard import assets
from service.dashboard.access.login import Login, LoginRequired
from service.dashboard.access.session import Sessions
from service.dashboard.errors import handlers
from service.dashboard.fleet import routes as fleet
from service.dashboard.listing import routes as listing
from service.dashboard.optuna import pages as optuna
from service.dashboard.optuna.pages import optuna_pages
from service.dashboard.orders import routes as orders
from service.dashboard.study import routes as study
from service.dashboard.trials import routes as trials
from service.settings import Settings
from service.web.access import Local
from service.web.headers import ResponseHeaders
from service.web.incidents import Incidents
from service.web.opening import open_database
from service.web.relative import BelowPath, to_root
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
            *(
                [Middleware(LoginRequired, sessions)]
                if settings.api_key
                else [Middleware(LoopbackOnly), Middleware(Local)]
            ),
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
        Route("/", _home),
        Route("/health", _health),
        *(route for wing in (assets, listing, study, trials, fleet, orders, optuna) for route in wing.ROUTES),
    ]
    if settings.api_key:
        login = Login(settings.api_key, sessions, https=settings.dashboard_url.startswith("https:"))
        ours += [
            Route("/login", login.form),
            Route("/login", login.enter, methods=["POST"]),
            Route("/logout", login.leave, methods=["POST"]),
        ]
    return ours


def _doors(settings: Settings, sessions: Sessions) -> list[Middleware]:
    """What checks who calls."""
    if settings.api_key:
        return [Middleware(LoginRequired, sessions)]
    return [Middleware(LoopbackOnly), Middleware(Local)]


async def _home(request: Request) -> Response:
    return RedirectResponse(f"{to_root(request)}studies", status_code=303)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
