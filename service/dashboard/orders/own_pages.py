"""Refuses what pages of other sites make a browser send, before anything of it is read."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.security import SAFE_METHODS


class OwnPages:
    """ASGI middleware that lets only our own pages, and programs, change anything.

    A browser says in `Sec-Fetch-Site` whether the page that sends is ours. One that does not say so, as over plain
    HTTP, names the page's origin, which must be that of the address called or of `dashboard_url`: a proxy may have
    changed `Host`. A program names neither; it needs the session and its token all the same.
    """

    def __init__(self, app: ASGIApp, dashboard_url: str) -> None:
        self.app = app
        self.own = origin_of(dashboard_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            return await self.app(scope, receive, send)
        refusal = foreign(Headers(scope=scope), self.own)
        if refusal is None:
            return await self.app(scope, receive, send)
        response = JSONResponse({"error": "foreign_request", "message": refusal}, status_code=403)
        return await response(scope, receive, send)


def foreign(headers: Headers, own: str) -> str | None:
    """Why what wants to change something is refused; None for our own pages and for programs."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site == "same-origin":
            return None
        return f"a page of another site may not change anything here, got Sec-Fetch-Site {site[:20]!r}"
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is None or origin in (f"http://{host}", f"https://{host}", own):
        return None
    return (
        f"a page of {origin[:100]!r} may not change anything here: if it is the dashboard's own, "
        "let the proxy pass Host on, or set PERNODEDROP_DASHBOARD_URL"
    )


def origin_of(url: str) -> str:
    """The scheme, host and port of the address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
