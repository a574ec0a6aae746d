"""The metrics of one server process, and the middleware that counts its requests."""

import time
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pernodedrop.installation import installed_version
from service.storage.database.database import Database
from service.storage.database.timing import measure

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # s
STATEMENTS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)  # s
NO_ROUTE = "(none)"


class Metrics:
    """The metrics of a server with these databases, in a registry of its own."""

    def __init__(self, databases: Sequence[Database]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        build = Info("pernodedrop_build", "The program that this process runs.", registry=registry)
        build.info({"version": installed_version()})
        self.requests = Counter(
            "pernodedrop_http_requests_total",
            "HTTP requests by route, method and status.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.latency = Histogram(
            "pernodedrop_http_request_duration_seconds",
            "Time until the answer to an HTTP request begins.",
            ["route", "method"],
            buckets=LATENCIES,
            registry=registry,
        )
        statements = Histogram(
            "pernodedrop_database_statement_duration_seconds",
            "Time of the statements that this process sends to the database.",
            buckets=STATEMENTS,
            registry=registry,
        )
        for database in databases:
            measure(database.engine, statements.observe)


class Counted:
    """ASGI middleware that counts every request, by the template of its route: no path of a caller's is a label.

    It must see the scope in which the router notes the route, so nothing behind it may copy the scope.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - started)
            await send(message)

        return await self.app(scope, receive, counting_send)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = route_of(scope)
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.latency.labels(route, method).observe(seconds)


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as /studies/{name}; of what is mounted, where; else `NO_ROUTE`."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return NO_ROUTE if path is None else str(path) or "/"
