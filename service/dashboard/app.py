"""The dashboard as an ASGI application."""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from service.dashboard import assets
from service.dashboard.access import routes as access
from service.dashboard.access.door import Door
from service.dashboard.access.login import Login
from service.dashboard.access.session import Sessions
from service.dashboard.access.sharing import LINK_PATH, Links
from service.dashboard.errors import handlers
from service.dashboard.fleet import routes as fleet
from service.dashboard.listing import routes as listing
from service.dashboard.listing.sparkline import Sparklines
from service.dashboard.optuna import pages as optuna
from service.dashboard.optuna.pages import optuna_pages
from service.dashboard.orders import routes as orders
from service.dashboard.orders.outcomes import Outcomes
from service.dashboard.orders.own_pages import OwnPages
from service.dashboard.study import routes as study
from service.dashboard.study.live.watcher import Watcher
from service.dashboard.trials import routes as trials
from service.dashboard.trials.choices import Choices
from service.settings import Settings
from service.web.absence import Absence, Attendance
from service.web.calls import Calls
from service.web.creations import Creations
from service.web.headers import ResponseHeaders
from service.web.incidents import Incidents
from service.web.keyring import Keyring
from service.web.keys import KeyCheck
from service.web.lanes import Lane
from service.web.metrics.measured import Counted, Metrics
from service.web.metrics.scraping import metrics_route
from service.web.opening import open_database
from service.web.relative import BelowPath, to_root
from service.web.reports import Reports
from service.web.request_ids import RequestIds
from service.web.security import LoopbackOnly, is_loopback, refuse_open_door

log = logging.getLogger(__name__)

WINGS = (assets, listing, study, trials, fleet, orders, access, optuna)
DATABASE_CONNECTIONS = 4
ACCESS_CONNECTIONS = 2  # look keys up, with the two more that a database may open
# A study that is created holds one of our connections while Optuna's part of it takes one of Optuna's. Pages wait for
# nothing while they hold one, so orders come to theirs as long as they are fewer than the connections.
ORDERS = 2
WAITING_ORDERS = 64
WATCHER_CONNECTIONS = 1
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
    lookups = open_database(settings, ACCESS_CONNECTIONS, lasting=False)
    keyring = Keyring(lookups)
    refuse_open_door(settings.host, settings.api_key, keyring)
    check = KeyCheck(settings.api_key, keyring, is_local=is_loopback(settings.host))
    database = open_database(settings, DATABASE_CONNECTIONS)
    metrics = Metrics([database])
    absence = Absence(log, "pages that need it are answered 503")
    watcher = Watcher(open_database(settings, WATCHER_CONNECTIONS), absence)
    sessions = Sessions()

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        with Attendance(lookups, absence):
            yield
        await watcher.close()
        for one in (database, lookups):
            one.close()

    app = Starlette(
        routes=[
            *_our_routes(settings, sessions, check, keyring),
            metrics_route(metrics, check),
            Mount("/", optuna_pages(database)),
        ],
        middleware=[
            Middleware(BelowPath, root=settings.root_path),
            Middleware(RequestIds),
            *([Middleware(Calls)] if settings.access_log else []),
            Middleware(Counted, metrics=metrics),
            Middleware(ResponseHeaders, headers=HEADERS, policy=POLICY),
            Middleware(Incidents),
            Middleware(OwnPages, dashboard_url=settings.dashboard_url),
            Middleware(LoopbackOnly, check),
            Middleware(Door, sessions, check, keyring),
        ],
        exception_handlers=handlers(),
        lifespan=closing,
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller named
    app.state.database = database
    app.state.absence = absence
    app.state.sparklines = Sparklines(database)
    app.state.watcher = watcher
    app.state.reports = Reports(database)
    app.state.choices = Choices(database)
    app.state.artifacts = settings.artifacts
    app.state.keyring = keyring
    app.state.dashboard_url = settings.dashboard_url
    app.state.task_modules = settings.task_modules
    app.state.form_secret = secrets.token_bytes(32)
    app.state.outcomes = Outcomes()
    app.state.creations = Creations(Lane("orders", ORDERS, WAITING_ORDERS, "dashboard"), database)
    return app


def _our_routes(settings: Settings, sessions: Sessions, check: KeyCheck, keyring: Keyring) -> list[BaseRoute]:
    https = settings.dashboard_url.startswith("https:")
    login, links = Login(check, sessions, https), Links(keyring, https)
    return [
        Route("/", _home),
        Route("/health", _health),
        *(route for wing in WINGS for route in wing.ROUTES),
        Route("/login", login.form),
        Route("/login", login.enter, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
        Route(LINK_PATH, links.enter),
    ]


async def _home(request: Request) -> Response:
    return RedirectResponse(f"{to_root(request)}studies", status_code=303)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
