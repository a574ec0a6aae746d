"""The route `/metrics`, for who has the key."""

from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.web.keys import KeyCheck
from service.web.metrics.measured import Metrics

PATH = "/metrics"


def metrics_route(metrics: Metrics, check: KeyCheck) -> Route:
    """The route, which asks for a key as the API does."""

    async def scrape(request: Request) -> Response:
        await check.caller(request)
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        content = await run_in_threadpool(encode, metrics.registry)
        return Response(content, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    return Route(PATH, scrape, include_in_schema=False)
