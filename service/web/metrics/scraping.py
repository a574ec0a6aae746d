"""The route `/metrics`, for who has the key."""

from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.web.keys import KeyCheck
from service.web.metrics.measured import Metrics

PATH = "/metrics"
_BEARER = "bearer "


def metrics_route(metrics: Metrics, api_key: str | None) -> Route:
    """The route, which asks for the key in X-API-Key, or as `Authorization: Bearer`, where there is one."""
    check = None if api_key is None else KeyCheck(api_key)

    async def scrape(request: Request) -> Response:
        if check is not None:
            check.admit(_given(request).encode("latin-1"), request)
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        content = await run_in_threadpool(encode, metrics.registry)
        return Response(content, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    return Route(PATH, scrape, include_in_schema=False)


def _given(request: Request) -> str:
    bearer = request.headers.get("authorization", "")
    if bearer[: len(_BEARER)].lower() == _BEARER:
        return bearer[len(_BEARER) :].strip()
    return request.headers.get("x-api-key", "")
