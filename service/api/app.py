"""The controller as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from pernodedrop.installation import RELEASE, installed_version
from service.api import (
    audit,
    capsules,
    catalog,
    docs,
    errors,
    examinations,
    exports,
    health,
    keys,
    logs,
    loop,
    openapi,
    results,
    shares,
    studies,
    trials,
    webhooks,
    weights,
    workers,
)
from service.api.dependencies import PREFIX, Loops, query_is_known
from service.api.errors import documented
from service.api.housekeeping import Housekeeping
from service.api.noting import Noting
from service.api.roles import role_is_held
from service.settings import Settings
from service.web.calls import Calls
from service.web.creations import Creations
from service.web.headers import ResponseHeaders
from service.web.heads import HeadAsGet
from service.web.incidents import Incidents
from service.web.keyring import Keyring
from service.web.keys import KeyCheck, key_required
from service.web.lanes import Lane
from service.web.metrics.fleet import FleetCollector
from service.web.metrics.measured import Counted, Metrics
from service.web.metrics.scraping import metrics_route
from service.web.opening import open_database
from service.web.readiness import Readiness
from service.web.relative import BelowPath
from service.web.reports import Reports
from service.web.request_ids import RequestIds
from service.web.security import LoopbackOnly, is_loopback, refuse_open_door
from service.webhooks.courier import Courier

DATABASE_CONNECTIONS = 8
ACCESS_CONNECTIONS = 2  # look keys up, with the two more that a database may open
# Creating a study takes a second connection for Optuna's part: both are there, or each could wait for the others'.
CREATIONS = 4
WAITING_CREATIONS = 128
ASKING, HEARING = 3, 3  # own loops that are answered at once, each on one connection
WAITING_LOOPS = 512
HEADERS = {
    RELEASE: installed_version(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
POLICY = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
WORK = (studies, trials, results, examinations, exports, catalog, workers, capsules, weights, loop, logs, webhooks)
ACCESS = (keys, shares, audit)
DESCRIPTION = """Submit a study of stochastic regularization, follow it, and get the answer.

Every error has one shape: "error" is for programs, "message" is for people, and "problems" lists broken rules \
with their paths. While the database is away, every route that needs it answers 503 with Retry-After."""


def create_app(settings: Settings) -> FastAPI:
    """Return the controller for these settings. It connects to the database at the first request that needs it.

    Raises:
        ValueError: the address is not loopback and no API key is set, or `database_url` is missing or no Postgres URL.
    """
    access = open_database(settings, ACCESS_CONNECTIONS, lasting=False)
    keyring = Keyring(access)
    refuse_open_door(settings.host, settings.api_key, keyring)
    check = KeyCheck(settings.api_key, keyring, is_local=is_loopback(settings.host))
    database = open_database(settings, DATABASE_CONNECTIONS)
    lane = Lane("submissions", CREATIONS, WAITING_CREATIONS)
    creations = Creations(lane, open_database(settings, 2 * CREATIONS, lasting=False))
    loops = Loops(
        Lane("questions of own loops", ASKING, WAITING_LOOPS),
        Lane("words of own loops", HEARING, WAITING_LOOPS),
        open_database(settings, ASKING + HEARING, lasting=False),
    )
    readiness = Readiness(open_database(settings, 1))
    watched = open_database(settings, 1)
    metrics = Metrics([database, creations.database, loops.database, watched])
    metrics.registry.register(FleetCollector(watched))
    outbox = open_database(settings, 1)

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        with Housekeeping(database, timedelta(days=settings.audit_days)), Courier(outbox, settings):
            yield
        for one in (database, creations.database, loops.database, readiness, access, watched, outbox):
            one.close()

    middleware = [Middleware(BelowPath, root=settings.root_path)]
    middleware += [Middleware(RequestIds), *([Middleware(Calls)] if settings.access_log else [])]
    middleware += [Middleware(Counted, metrics=metrics)]
    middleware += [Middleware(ResponseHeaders, headers=HEADERS, policy=POLICY), Middleware(Incidents)]
    middleware += [Middleware(LoopbackOnly, check), Middleware(HeadAsGet), Middleware(Noting)]
    app = FastAPI(
        title="PerNodeDrop controller",
        version=installed_version(),
        description=DESCRIPTION,
        lifespan=closing,
        middleware=middleware,
        servers=[{"url": "."}],  # beside this description, wherever a proxy serves it
        docs_url=None,  # FastAPI's own pages run scripts from another host
        redoc_url=None,
    )
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller named
    app.state.database, app.state.creations, app.state.readiness = database, creations, readiness
    app.state.loops, app.state.keyring = loops, keyring
    app.state.reports = Reports(database)
    app.state.settings = settings
    app.include_router(health.router, prefix=PREFIX)
    app.include_router(_guarded_routes(check), prefix=PREFIX)
    app.router.routes.append(metrics_route(metrics, check))
    errors.install(app)
    openapi.publish(app)
    docs.publish(app, settings.url)
    return app


def _guarded_routes(check: KeyCheck) -> APIRouter:
    checks = [Depends(key_required(check)), Depends(role_is_held), Depends(query_is_known)]
    guarded = APIRouter(dependencies=checks, responses=documented(400, 401, 403, 422, 429, 503))
    for part in (*WORK, *ACCESS):
        guarded.include_router(part.router)
    return guarded
